/* No symbol of that name.
 * validate: library.file fail does not export hone_plugin_entry
 * score: refuses does not export */
#define OWN_ENTRY
#include "hostile.h"
HONE_EXPORT const hone_entry *hone_plugin_entri(void);
const hone_entry *hone_plugin_entri(void)
{
    return &entry;
}
