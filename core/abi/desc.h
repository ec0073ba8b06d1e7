/* desc.h - interface descriptions: hone's own by id, and checks of those that plugins bring. */
#ifndef HONE_CORE_ABI_DESC_H
#define HONE_CORE_ABI_DESC_H
#include "base/json.h"
#include "hone/desc.h"

/* hone's own description of `id`, or NULL. [any-thread] */
const hone_iface_desc *hone_desc_builtin(const char *id);
/* A NULL-terminated table (or NULL) of descriptions brought by a file: E_ABI naming what is wrong. */
hone_status hone_desc_check_ifaces(const char *who, const hone_iface_desc *const *ifaces);
#endif
