/* fuzz_llama2c.c - any bytes are a llama2.c model with its tokenizer or an error; every tensor can be read.
 * The first two bytes say where the tokenizer begins. */
#include "base/error.h"
#include "base/json.h"
#include "nn/llama2c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hone_gguf g;
    float out[64];
    if (size < 2)
        return 0;
    size_t cut = (size_t)(data[0] | data[1] << 8);
    data += 2, size -= 2;
    cut = cut < size ? cut : size;
    if (hone_llama2c_parse(&g, data, cut, cut < size ? data + cut : NULL, size - cut, "fuzz") < 0) {
        if (!hone_error_get()->what[0])
            __builtin_trap();
        return 0;
    }
    for (size_t i = 0; i < g.n; i++) {
        const hone_file_tensor *t = &g.tensors[i];
        int64_t n = t->rows * t->cols, ends = n < 64 ? n : 64;
        if (hone_gguf_find(&g, t->name) != t)
            __builtin_trap();
        hone_file_tensor_read(t, n - ends, ends, out);
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
