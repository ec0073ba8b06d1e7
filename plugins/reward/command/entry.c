/* entry.c - the one symbol of command.so. */
#include "command.h"

const char *const command_needs[] = {HONE_IFACE_MEM, HONE_IFACE_JSON, HONE_IFACE_PROCESS, NULL};
HONE_DEFINE_PLUGIN(HONE_SDK_VERSION, &reward_command, &judge_command, &source_command,
                   &reward_unit_test);
