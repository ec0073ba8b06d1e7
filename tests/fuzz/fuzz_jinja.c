/* fuzz_jinja.c - any template renders or fails with a text, within its limits of steps, output and depth. */
#include "base/alloc.h"
#include "base/json.h"
#include "text/jinja.h"

#include <stdlib.h>
#include <string.h>

static hone_arena arena;
static hone_value vars;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const char text[] =
        "{\"messages\":[{\"role\":\"system\",\"content\":\"S\"},{\"role\":\"user\",\"content\":"
        "\"h\\u00e9 \\n\"},{\"role\":\"assistant\",\"content\":null,"
        "\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":{\"a\":[1,2.5,true]}}}]}],"
        "\"tools\":[{\"type\":\"function\"}],"
        "\"bos_token\":\"<s>\",\"eos_token\":\"</"
        "s>\",\"add_generation_prompt\":true,\"x\":[3,1,2],\"d\":{\"b\":1,\"a\":\"z\"},\"s\":\"a "
        "b,c\",\"n\":-7,\"f\":1e20}";
    (void)argc;
    (void)argv;
    hone_arena_init(&arena, 0);
    if (hone_json_parse(text, strlen(text), "vars", &arena, &vars) < 0)
        abort();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hone_jinja *t;
    hone_buf out;
    hone_byte_spans spans;
    hone_str source = {(const char *)data, size};
    hone_jinja_options opt = {
        .now = 1700000000, .max_steps = 100000, .max_output = 1 << 16, .generation = &spans};
    size_t before, after, bytes;
    hone_alloc_stats(&before, &bytes);
    hone_buf_init(&out, 1 << 20);
    hone_byte_spans_init(&spans);
    if (hone_jinja_create(source, "fuzz", &t) >= 0) {
        hone_status s = hone_jinja_render(t, &vars, &opt, &out);
        if (s < 0 ? (out.len != 0 || spans.n != 0 || !hone_error_get()->what[0])
                  : out.len > (1 << 16) + size)
            abort();
        for (size_t i = 0; i < spans.n; i++)
            if (spans.v[i].begin > spans.v[i].end || spans.v[i].end > out.len)
                abort();
        hone_jinja_destroy(t);
    } else if (!hone_error_get()->what[0]) {
        abort();
    }
    hone_byte_spans_release(&spans);
    hone_buf_release(&out);
    hone_alloc_stats(&after, &bytes);
    if (after != before)
        abort();
    return 0;
}
