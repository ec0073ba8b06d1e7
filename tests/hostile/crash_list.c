/* Takes any list to hold texts.
 * validate: instance.fuzz_settings crash create with settings
 * score: survives */
#define FIELDS HONE_LIST_OF("words", 0, "texts"),
#define ON_CREATE                                                                                  \
    const hone_value *w = cfg->value(cfg, 0);                                                      \
    for (size_t k = 0; w && k < w->u.list.n; k++)                                                  \
        if (w->u.list.items[k].u.str.ptr[0] == 'x')                                                \
            return hone_host_fail(host, HONE_E_INVALID, "x");
#include "hostile.h"
