/* registry.c - the table of ops; see registry.h. */
#include "ops/registry.h"

#include "ops/builtin.h"
#include "ops/linear.h"

#include <pthread.h>
#include <string.h>

enum { PACKED_MAX = 256 };

static const hone_op *const single[] = {&hone_op_linear,
                                        &hone_op_embed,
                                        &hone_op_linear_logprob,
                                        &hone_op_linear_divergence,
                                        &hone_op_logits,
                                        &hone_op_rmsnorm,
                                        &hone_op_add_rmsnorm,
                                        &hone_op_head_rmsnorm,
                                        &hone_op_layernorm,
                                        &hone_op_rope,
                                        &hone_op_attention,
                                        &hone_op_swiglu,
                                        &hone_op_geglu,
                                        &hone_op_magnitude,
                                        NULL};
static const hone_op *const *const built_in[] = {single, hone__ops_unary, hone__ops_binary,
                                                 hone__ops_reshape};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const hone_op *packed[PACKED_MAX];
static size_t n_packed;

/* The i-th op; the lock is held. */
static const hone_op *nth(size_t i)
{
    for (size_t t = 0; t < sizeof built_in / sizeof built_in[0]; t++)
        for (const hone_op *const *o = built_in[t]; *o; o++)
            if (i-- == 0)
                return *o;
    return i < n_packed ? packed[i] : NULL;
}
static const hone_op *named(const char *name)
{
    const hone_op *o = NULL;
    for (size_t i = 0; name && (o = nth(i)) != NULL; i++)
        if (!strcmp(o->name, name))
            return o;
    return NULL;
}

const hone_op *hone_op_at(size_t i)
{
    pthread_mutex_lock(&lock);
    const hone_op *o = nth(i);
    pthread_mutex_unlock(&lock);
    return o;
}

const hone_op *hone_op_find(const char *name)
{
    pthread_mutex_lock(&lock);
    const hone_op *o = named(name);
    pthread_mutex_unlock(&lock);
    return o;
}

hone_status hone_op_get(const char *name, const hone_op **out)
{
    const hone_op *o = hone_op_find(name);
    if (o) {
        *out = o;
        return HONE_OK;
    }
    const char *names[PACKED_MAX + 128], *close;
    size_t n = 0;
    while (n < sizeof names / sizeof names[0] - 1 && (o = hone_op_at(n)) != NULL)
        names[n++] = o->name;
    names[n] = NULL;
    hone_fail(HONE_E_NOT_FOUND, "no op is called \"%s\"", name ? name : "");
    close = name ? hone_closest(name, names) : NULL;
    return close ? hone_fail_hint("did you mean \"%s\"?", close) : HONE_E_NOT_FOUND;
}

/* "word/number" */
static int well_named(const char *s)
{
    const char *slash = s ? strchr(s, '/') : NULL;
    if (!slash || slash == s || !slash[1] || strlen(s) > 63)
        return 0;
    for (const char *p = slash + 1; *p; p++)
        if (*p < '0' || *p > '9')
            return 0;
    return 1;
}

hone_status hone_op_register_pack(const hone_op *const *ops)
{
    hone_status s = HONE_OK;
    pthread_mutex_lock(&lock);
    size_t before = n_packed;
    for (; *ops && s >= 0; ops++) {
        const hone_op *o = *ops;
        if (o->struct_size < sizeof(hone_op) || !well_named(o->name) || !o->infer || !o->fwd)
            s = hone_fail(HONE_E_INVALID, "op pack: the descriptor of \"%s\" is malformed",
                          o->struct_size >= sizeof(hone_op) && o->name ? o->name : "?");
        else if (named(o->name))
            s = hone_fail(HONE_E_EXISTS, "op pack: an op is called \"%s\" already", o->name);
        else if (n_packed == PACKED_MAX)
            s = hone_fail(HONE_E_LIMIT, "op pack: more than %d ops", PACKED_MAX);
        else
            packed[n_packed++] = o;
    }
    if (s < 0)
        n_packed = before;
    pthread_mutex_unlock(&lock);
    return s;
}

void hone_op_unregister_pack(const hone_op *const *ops)
{
    pthread_mutex_lock(&lock);
    for (; *ops; ops++)
        for (size_t i = 0; i < n_packed; i++)
            if (packed[i] == *ops) {
                memmove(packed + i, packed + i + 1, (n_packed - i - 1) * sizeof packed[0]);
                n_packed--;
                break;
            }
    pthread_mutex_unlock(&lock);
}
