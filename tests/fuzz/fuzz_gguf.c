/* fuzz_gguf.c - any bytes are a GGUF file or an error; every tensor can then be read, every value seen. */
#include "base/error.h"
#include "base/json.h"
#include "nn/gguf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hone_gguf g;
    float out[300];
    if (hone_gguf_parse(&g, data, size, "fuzz") < 0) {
        if (!hone_error_get()->what[0])
            __builtin_trap();
        return 0;
    }
    for (size_t i = 0; i < g.n; i++) {
        const hone_file_tensor *t = &g.tensors[i];
        int64_t n = t->rows * t->cols, ends = n < 300 ? n : 300;
        if (hone_gguf_find(&g, t->name) != t)
            __builtin_trap();
        hone_file_tensor_read(t, 0, ends, out);
        hone_file_tensor_read(t, n - ends, ends, out);
        if (n > 7)
            hone_file_tensor_read(t, 5, 2, out);
    }
    hone_buf text;
    hone_jw w;
    hone_buf_init(&text, 1 << 20);
    hone_jw_init(&w, &text, 0);
    hone_jw_value(&w, &g.metadata);
    hone_buf_release(&text);
    hone_gguf_release(&g);
    return 0;
}
