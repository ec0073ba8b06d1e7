/* fuzz_endpoint.c - any bytes as the response of an endpoint: a reply that points into what was read, probabilities that are
 * some, or a refusal. The first byte chooses the labels. */
#include "base/arena.h"
#include "base/json.h"

#include "judge/rubric/endpoint_reply.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void *resize(void *self, void *p, size_t old_size, size_t size)
{
    (void)self;
    (void)old_size;
    if (size == 0) {
        free(p);
        return NULL;
    }
    return realloc(p, size);
}
static const hone_mem_v1 mem = {sizeof mem, 0, resize};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const hone_str sets[4][4] = {{{" 1", 2}, {" 2", 2}, {" 10", 3}, {" 3", 2}},
                                        {{" A", 2}, {" B", 2}, {" tie", 4}, {" t", 2}},
                                        {{"", 0}, {" ", 1}, {"\"", 1}, {"yes", 3}},
                                        {{" good", 5}, {" goodness", 9}, {" go", 3}, {" no", 3}}};
    pool p = {.mem = {NULL, &mem}};
    hone_arena arena;
    hone_value body;
    endpoint_reply r;
    double out[4];
    if (size == 0)
        return 0;
    const hone_str *labels = sets[data[0] & 3];
    const hone_str prefix = {"Verdict:", data[0] & 4 ? 8 : 0};
    hone_arena_init(&arena, (size_t)64 << 20);
    if (hone_json_parse((const char *)data + 1, size - 1, "body", &arena, &body) >= 0) {
        const hone_str error = endpoint_error(&body);
        if (error.len > size || !endpoint_reply_read(&body, &p, &r))
            abort();
        if (r.detail > HONE_VERDICT_TRUNCATED || r.text.len > size ||
            (r.detail == HONE_VERDICT_OK && !r.text.len))
            abort();
        (void)endpoint_floats(r.model);
        if (endpoint_labels(r.logprobs, prefix, labels, 4, out))
            for (int i = 0; i < 4; i++)
                if (!(out[i] <= 0)) /* a log-prob; -INFINITY is one */
                    abort();
    }
    pool_release(&p);
    hone_arena_release(&arena);
    return 0;
}
