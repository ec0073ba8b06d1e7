/* fuzz_adapter.c - any two files are an adapter of PEFT or an error; one that is goes onto a base that has its modules, or
 * is refused and leaves the base as it was. The input: two bytes, the length of adapter_config.json; its text;
 * adapter_model.safetensors. */
#include "base/error.h"
#include "nn/params.h"
#include "nn/peft.h"
#include "tensor/pool.h"

/* Two maps of 4 x 3 and 5 x 4. */
static hone_params *base(void)
{
    hone_params *p;
    hone_param_spec s = {.struct_size = sizeof s, .role = "q", .rows = 4, .cols = 3};
    s.name = "a.q_proj.weight";
    if (hone_params_create(&p) < 0)
        __builtin_trap();
    hone_params_declare(p, &s);
    s.name = "b.weight";
    s.rows = 5;
    s.cols = 4;
    hone_params_declare(p, &s);
    s.name = "norm.weight";
    s.cols = 0;
    hone_params_declare(p, &s);
    if (hone_params_seal(p) < 0 || hone_params_init_values(p, 1) < 0)
        __builtin_trap();
    return p;
}

static void use(const hone_peft *a)
{
    hone_peft_info info;
    hone_str name;
    int32_t rank;
    int64_t in, out;
    hone_peft_get_info(a, &info);
    for (size_t i = 0; i < info.n_modules; i++)
        hone_peft_module(a, i, &name, &rank, &in, &out);
    hone_pool *pool;
    hone_params *p = base();
    if (hone_pool_create(1, &pool) < 0)
        __builtin_trap();
    const uint64_t sum = hone_params_checksum(p);
    int32_t k = hone_peft_add(a, p, "x", 0, hone_pool_exec(pool));
    if (k >= 0) {
        float row[4];
        if (hone_params_refresh(p, 1u << k, hone_pool_exec(pool)) < 0 ||
            hone_params_get_merged_rows(p, 0, 1u << k, 1, 1, row) < 0)
            __builtin_trap();
    } else if (hone_params_checksum(p) != sum || hone_params_count(p) != 3 ||
               !hone_error_get()->what[0]) {
        __builtin_trap();
    }
    hone_params_destroy(p);
    hone_pool_destroy(pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hone_peft *a;
    if (size < 2)
        return 0;
    size_t n = (size_t)(data[0] | data[1] << 8);
    n = n < size - 2 ? n : size - 2;
    const hone_str config = {(const char *)data + 2, n};
    if (hone_peft_parse(config, data + 2 + n, size - 2 - n, "fuzz", &a) < 0) {
        if (!hone_error_get()->what[0])
            __builtin_trap();
        return 0;
    }
    use(a);
    hone_peft_close(a);
    return 0;
}
