/* desc.c - see desc.h. */
#include "abi/desc.h"

#include <string.h>

const hone_iface_desc *hone_desc_builtin(const char *id)
{
    (void)id;
    return NULL;
}

hone_status hone_desc_check_ifaces(const char *who, const hone_iface_desc *const *ifaces)
{
    for (size_t i = 0; ifaces && ifaces[i]; i++)
        if (ifaces[i]->struct_size < sizeof(hone_iface_desc) || !ifaces[i]->id || !ifaces[i]->slots)
            return hone_fail(HONE_E_ABI, "%s: interface description number %zu is not complete", who, i);
    return HONE_OK;
}
