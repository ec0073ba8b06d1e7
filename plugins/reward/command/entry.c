/* entry.c - the one symbol of command.so. */
#include "command.h"

const char *const command_needs[] = {HONE_IFACE_MEM, HONE_IFACE_JSON, HONE_IFACE_PROCESS, NULL};
static const hone_component *const components[] = {&reward_command, &judge_command, &source_command,
                                                   &reward_unit_test, NULL};
static const hone_magic magic = HONE_MAGIC(HONE_SDK_VERSION);
static const hone_entry entry = {sizeof(hone_entry), 0, &magic, components, NULL, NULL, NULL};

const hone_entry *hone_plugin_entry(void)
{
    return &entry;
}
