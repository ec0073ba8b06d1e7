/* entry.c - the one symbol of rewards.so. */
#include "rewards.h"

static const hone_component *const components[] = {
    &cosine_length_component, &exact_match_component,
    &format_component,        &json_schema_component,
    &json_valid_component,    &judge_component,
    &length_component,        &math_answer_component,
    &regex_component,         &repetition_component,
    &similarity_component,    &soft_overlong_component,
    &think_format_component,  NULL};
static const hone_magic magic = HONE_MAGIC(HONE_SDK_VERSION);
static const hone_entry entry = {sizeof(hone_entry), 0, &magic, components, NULL, NULL, NULL};

const hone_entry *hone_plugin_entry(void)
{
    return &entry;
}
