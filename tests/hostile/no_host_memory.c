/* Does not look at what hone.mem/1 gave.
 * validate: instance.no_memory crash hone.mem
 * score: survives */
#define ON_CREATE                                                                                  \
    hone_ref mem;                                                                                  \
    if (host->get_iface(host, HONE_IFACE_MEM, &mem) < 0)                                           \
        return HONE_E_NOMEM;                                                                       \
    char *p = ((const hone_mem_v1 *)mem.vt)->resize(mem.self, NULL, 0, 8);                         \
    p[0] = 1;                                                                                      \
    ((const hone_mem_v1 *)mem.vt)->resize(mem.self, p, 8, 0);
#include "hostile.h"
