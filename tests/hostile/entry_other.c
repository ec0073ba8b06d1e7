/* The entry describes something else when it is called again.
 * validate: library.entry fail two different things
 * score: survives */
#define OWN_ENTRY
#include "hostile.h"

const hone_entry *hone_plugin_entry(void)
{
    static hone_component other;
    static const hone_component *const others[] = {&other, NULL};
    static const hone_entry second = {sizeof(hone_entry), 0, &magic, others, NULL, NULL, NULL};
    static int calls;
    other = component;
    other.version = "2.0.0";
    return calls++ ? &second : &entry;
}
