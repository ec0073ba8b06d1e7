/* plugin.c - the components of this plugin: one for each shape, each with the families that have it. */
#include "decoders.h"

#define COMPONENT(NAME, SUMMARY)                                                                   \
    static hone_status create_##NAME(const hone_host *host, const hone_config *cfg, void **out)    \
    {                                                                                              \
        (void)cfg;                                                                                 \
        return decoder_create(host, decoder_##NAME, out);                                          \
    }                                                                                              \
    static const hone_component NAME = {                                                           \
        .struct_size = sizeof(hone_component),                                                     \
        .id = "org.hone.model." #NAME,                                                             \
        .kind = HONE_KIND_MODEL,                                                                   \
        .version = "1.1.0",                                                                        \
        .vendor = "hone",                                                                          \
        .license = "MIT",                                                                          \
        .summary = SUMMARY,                                                                        \
        .url = "",                                                                                 \
        .caps = HONE_CAP_DETERMINISTIC | HONE_CAP_BATCH_INVARIANT,                                 \
        .needs = needs,                                                                            \
        .provides = provides,                                                                      \
        .create = create_##NAME,                                                                   \
        .destroy = decoder_destroy,                                                                \
        .get_iface = decoder_get_iface,                                                            \
    };

static const char *const provides[] = {HONE_IFACE_MODEL, NULL};
static const char *const needs[] = {HONE_IFACE_MEM, NULL};
COMPONENT(llama, "Llama 2 and 3, SmolLM2, Mistral")
COMPONENT(qwen, "Qwen2, Qwen2.5, Qwen3")
COMPONENT(gemma, "Gemma 1, 2 and 3 (text)")
COMPONENT(phi3, "Phi-3, Phi-4-mini")
COMPONENT(smollm3, "SmolLM3")
COMPONENT(olmo, "OLMo 2, OLMo 3")
COMPONENT(granite, "Granite 3")

static const hone_component *const components[] = {&llama,   &qwen, &gemma,   &phi3,
                                                   &smollm3, &olmo, &granite, NULL};
static const hone_magic magic = HONE_MAGIC(0x000100);
static const hone_entry entry = {
    .struct_size = sizeof(hone_entry),
    .magic = &magic,
    .components = components,
};

const hone_entry *hone_plugin_entry(void)
{
    return &entry;
}
