/* Crashes when it is asked what it is.
 * validate: library.load crash loading the file
 * score: any */
#define OWN_ENTRY
#include "hostile.h"
const hone_entry *hone_plugin_entry(void)
{
    (void)&entry;
    abort();
}
