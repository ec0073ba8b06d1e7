/* fuzz_grammar.c - text as a grammar, or as a JSON Schema, and bytes that it then reads.
 *
 * First byte: which. The rest up to a NUL is the text, behind it lie the bytes. Every state that is met must agree with its mask, and
 * be found again after forgetting. */
#include "base/alloc.h"
#include "gen/grammar.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const tokens[] = {
        "a",    "\"",  "{",     "}", "[",  "]",    ",",    ":",        " ",
        "\n",   "ab",  "\"a\"", "1", "12", "\xc3", "\xa9", "\xc3\xa9", "\xe2\x82\xac",
        "true", "{\"", "0",     "-", "",   "\\",   "u00"};
    enum { N = sizeof tokens / sizeof *tokens };
    static hone_vocab *v;
    hone_str list[N];
    hone_grammar *g;
    hone_matcher *m;
    if (!v) {
        for (size_t i = 0; i < N; i++)
            list[i] = hone_str_c(tokens[i]);
        if (hone_vocab_from(list, N, &v) < 0)
            abort();
    }
    if (size < 1)
        return 0;
    const uint8_t *cut = memchr(data + 1, 0, size - 1);
    const size_t n = cut ? (size_t)(cut - data) - 1 : size - 1;
    const hone_str text = {(const char *)data + 1, n};
    hone_str rest = {cut ? (const char *)cut + 1 : "", cut ? size - n - 2 : 0};
    if ((data[0] & 1 ? hone_grammar_schema(text, "fuzz", &g)
                     : hone_grammar_parse(text, "fuzz", &g)) < 0)
        return 0;
    if (hone_matcher_create(g, v, &m) >= 0) {
        int32_t at = hone_matcher_start(m);
        for (size_t i = 0; i < rest.len && i < 64 && at >= 0; i++) {
            const uint64_t *mask;
            size_t allowed;
            int32_t next = -1;
            if (hone_matcher_mask(m, at, &mask, &allowed) < 0)
                break;
            const size_t id = (uint8_t)rest.ptr[i] % N;
            if (hone_matcher_eat(m, at, hone_str_c(tokens[id]), &next) < 0)
                break;
            if ((int)(mask[0] >> id & 1) != (next >= 0 && tokens[id][0]))
                abort();
            at = next;
            if (i % 16 == 15 && at >= 0) {
                const int may = hone_matcher_may_end(m, at);
                if (hone_matcher_trim(m, &at, 1) >= 0 && may != hone_matcher_may_end(m, at))
                    abort();
            }
        }
        hone_matcher_destroy(m);
    }
    hone_grammar_unref(g);
    return 0;
}
