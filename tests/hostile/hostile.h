/* hostile.h - a reward plugin that is in order, but for what the file that includes it defines.
 *
 * Each file of this folder is one fault. It defines some of the macros below and includes this header; what it leaves
 * alone is as a good plugin has it. Its first comment says what it does, and for hostile.py what must be found:
 *   validate: TEST RESULT WORDS      the result of that test, and words of its text
 *   score: survives|refuses|dies WORDS   what `hone score` makes of it in process */
#include "hone/reward.h"
#include "hone/state.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef CAPS
#define CAPS 0
#endif
#ifndef FIELDS
#define FIELDS
#endif
#ifndef ON_CREATE /* code; may return a status */
#define ON_CREATE
#endif
#ifndef ON_DESTROY
#define ON_DESTROY
#endif
#ifndef ON_CALL /* code before the samples; may return */
#define ON_CALL
#endif
#ifndef ON_SAMPLE /* code for sample i, which may change score */
#define ON_SAMPLE
#endif
#ifndef ANSWER /* how outcome i gets its score */
#define ANSWER hone_outcome_set(out, out_stride, i, HONE_SCORE, score);
#endif

typedef struct instance {
    const hone_host *host;
    const hone_config *cfg;
    uint64_t count;
} instance;

#ifndef OWN_SCORE
static hone_status score(void *self, const hone_call *call, const hone_sample *in, size_t n,
                         size_t in_stride, hone_outcome *out, size_t out_stride,
                         const hone_notes *notes)
{
    instance *my = self;
    (void)my;
    (void)notes;
    ON_CALL
    for (size_t i = 0; i < n; i++) {
        const hone_sample *s = hone_sample_at(in, in_stride, i);
        float score = (float)s->completion.len;
        if (hone_cancelled(call))
            return HONE_OK;
        ON_SAMPLE
        ANSWER
    }
    return HONE_OK;
}
#define SCORE score
#endif
#ifndef TABLE
#define TABLE                                                                                      \
    {                                                                                              \
        sizeof(hone_reward_v1), 0, SCORE, NULL, NULL                                               \
    }
#endif
static const hone_reward_v1 table = TABLE;

static hone_status create(const hone_host *host, const hone_config *cfg, void **self)
{
    (void)cfg;
    ON_CREATE
    instance *my = malloc(sizeof *my);
    if (!my)
        return hone_host_fail(host, HONE_E_NOMEM, "out of memory");
    my->host = host;
    my->cfg = cfg;
    my->count = 0;
    *self = my;
    return HONE_OK;
}

static void destroy(void *self)
{
    ON_DESTROY
    free(self);
}

#ifndef GET_IFACE
#ifndef MORE_IFACES
#define MORE_IFACES
#endif
static const void *get_iface(void *self, const char *id)
{
    (void)self;
    MORE_IFACES
    return strcmp(id, HONE_IFACE_REWARD) == 0 ? &table : NULL;
}
#define GET_IFACE get_iface
#endif

#ifndef PROVIDES
#define PROVIDES HONE_IFACE_REWARD
#endif
static const hone_field *const fields[] = {FIELDS NULL};
static const char *const provides[] = {PROVIDES, NULL};
#ifndef COMPONENT_SIZE
#define COMPONENT_SIZE sizeof(hone_component)
#endif
#ifndef CREATE
#define CREATE create
#endif
#ifndef ID
#define ID "org.hostile.reward.it"
#endif
static const hone_component component = {.struct_size = COMPONENT_SIZE,
                                         .id = ID,
                                         .kind = HONE_KIND_REWARD,
                                         .version = "1.0.0",
                                         .caps = CAPS,
                                         .fields = fields,
                                         .provides = provides,
                                         .create = CREATE,
                                         .destroy = destroy,
                                         .get_iface = GET_IFACE};
#ifndef COMPONENTS
static const hone_component *const components[] = {&component, NULL};
#define COMPONENTS components
#endif
#ifndef MAGIC
#define MAGIC HONE_MAGIC(0x000100)
#endif
static const hone_magic magic = MAGIC;
#ifndef ENTRY
#define ENTRY                                                                                      \
    {                                                                                              \
        sizeof(hone_entry), 0, &magic, COMPONENTS, NULL, INIT, NULL                                \
    }
#endif
#ifndef INIT
#define INIT NULL
#endif
static const hone_entry entry = ENTRY;

#ifndef OWN_ENTRY
const hone_entry *hone_plugin_entry(void)
{
    return &entry;
}
#endif
