/* text_entry.c - the one symbol of text.so. */
#include "text.h"

static const hone_component *const components[] = {&bleu_component,
                                                   &chrf_component,
                                                   &ifeval_component,
                                                   &language_component,
                                                   &overlap_component,
                                                   &rouge_component,
                                                   NULL};
static const hone_magic magic = HONE_MAGIC(HONE_SDK_VERSION);
static const hone_entry entry = {sizeof(hone_entry), 0, &magic, components, NULL, NULL, NULL};

const hone_entry *hone_plugin_entry(void)
{
    return &entry;
}
