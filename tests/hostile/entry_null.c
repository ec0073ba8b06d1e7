/* The entry gives nothing.
 * validate: library.load fail hone_plugin_entry() returned NULL
 * score: refuses returned NULL */
#define OWN_ENTRY
#include "hostile.h"
const hone_entry *hone_plugin_entry(void)
{
    return entry.magic ? NULL : &entry;
}
