/* fuzz_config.c - any configuration is a model or an error: what model components read of a config.json, or
 * of GGUF metadata (input that begins with "GGUF"). Nothing is loaded or computed. */
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "nn/choose.h"
#include "nn/gguf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static hone_registry *registry;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    hone_registry_opts none = {0};
    (void)argc;
    (void)argv;
    hone_log_level(HONE_LOG_ERROR);
    if (hone_registry_open(&none, &registry) < 0 ||
        !hone_registry_component(registry, HONE_KIND_MODEL, 0))
        abort(); /* without a model plugin nothing would be tested */
    return 0;
}

static void declare(const char *format, const hone_value *config)
{
    hone_instance *inst;
    hone_model *m;
    hone_str json;
    if (hone_model_choose(registry, format, config, "fuzz", HONE_MODEL_ALLOW_UNKNOWN, &inst, &m) <
        0) {
        if (!hone_error_get()->what[0])
            __builtin_trap();
        return;
    }
    /* what it would write as config.json is read, and written the same again; its GGUF metadata is JSON */
    if (hone_model_config_json(m, &json) >= 0) {
        hone_arena arena;
        hone_value again;
        hone_instance *inst2;
        hone_model *m2;
        hone_str json2;
        hone_arena_init(&arena, 0);
        if (hone_json_parse(json.ptr, json.len, "written", &arena, &again) < 0 ||
            hone_model_choose(registry, "hf", &again, "written", 0, &inst2, &m2) < 0) {
            fprintf(stderr, "%s: %.*s\n", hone_error_get()->what, (int)json.len, json.ptr);
            __builtin_trap();
        }
        if (hone_model_config_json(m2, &json2) < 0 || json2.len != json.len ||
            memcmp(json2.ptr, json.ptr, json.len) != 0) {
            fprintf(stderr, "%.*s\nis not\n%.*s\n", (int)json.len, json.ptr, (int)json2.len,
                    json2.ptr);
            __builtin_trap();
        }
        hone_model_destroy(m2);
        hone_instance_unref(inst2);
        hone_arena_release(&arena);
    }
    if (hone_model_gguf_json(m, &json) >= 0) {
        hone_arena arena;
        hone_value metadata;
        hone_arena_init(&arena, 0);
        if (hone_json_parse(json.ptr, json.len, "metadata", &arena, &metadata) < 0)
            __builtin_trap();
        hone_arena_release(&arena);
    }
    hone_model_destroy(m);
    hone_instance_unref(inst);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size >= 4 && data[0] == 'G' && data[1] == 'G') {
        hone_gguf g;
        if (hone_gguf_parse(&g, data, size, "fuzz") >= 0) {
            declare("gguf", &g.metadata);
            hone_gguf_release(&g);
        }
        return 0;
    }
    hone_arena arena;
    hone_value config;
    hone_arena_init(&arena, (size_t)64 << 20);
    if (hone_json_parse((const char *)data, size, "fuzz", &arena, &config) >= 0 &&
        config.type == HONE_MAP)
        declare("hf", &config);
    hone_arena_release(&arena);
    return 0;
}
