/* fuzz_sidecar.c - sidecars from outside: any bytes either give sound components or an error. */
#include "abi/config.h"
#include "abi/sidecar.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hone_arena arena;
    hone_value v;
    hone_sidecar sc;
    hone_buf b;
    hone_jw w;
    hone_arena_init(&arena, 1 << 26);
    hone_buf_init(&b, 1 << 24);
    hone_jw_init(&w, &b, 0);
    if (hone_json_parse((const char *)data, size, "fuzz.json", &arena, &v) >= 0 &&
        hone_sidecar_read(&v, "fuzz.json", &arena, &sc) >= 0) {
        for (size_t i = 0; i < sc.n; i++) {
            hone_config *cfg = NULL;
            hone_sidecar_component(&sc.components[i], &w);
            hone_config_help(sc.components[i].fields, &b);
            if (hone_config_create("fuzz", sc.components[i].fields, NULL, NULL, &cfg) >= 0)
                hone_config_destroy(cfg);
        }
    }
    hone_buf_release(&b);
    hone_arena_release(&arena);
    return 0;
}
