/* fuzz_safetensors.c - any bytes are a safetensors file or an error; every tensor can then be read. */
#include "base/error.h"
#include "nn/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hone_safetensors st;
    float out[64];
    if (hone_safetensors_parse(&st, data, size, "fuzz") < 0) {
        if (!hone_error_get()->what[0])
            __builtin_trap();
        return 0;
    }
    for (size_t i = 0; i < st.n; i++) {
        const hone_file_tensor *t = &st.tensors[i];
        int64_t n = (int64_t)(t->size / t->type->bytes);
        if (hone_safetensors_find(&st, t->name) != t)
            __builtin_trap();
        hone_file_tensor_read(t, 0, n < 64 ? n : 64, out);
        if (n > 64)
            hone_file_tensor_read(t, n - 64, 64, out);
    }
    hone_safetensors_release(&st);
    return 0;
}
