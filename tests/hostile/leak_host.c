/* Does not give hone.mem/1 back.
 * validate: instance.create fail leaks 100 bytes of hone.mem/1
 * score: survives */
#define ON_CREATE                                                                                  \
    hone_ref mem;                                                                                  \
    if (host->get_iface(host, HONE_IFACE_MEM, &mem) == HONE_OK)                                    \
        ((const hone_mem_v1 *)mem.vt)->resize(mem.self, NULL, 0, 100);
#include "hostile.h"
