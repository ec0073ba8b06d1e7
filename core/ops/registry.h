/* registry.h - all ops by name.
 *
 * The built-in ops stand in one table; a component of kind `ops` adds its own with
 * hone_op_register_pack(). A name is "op/version" and means one thing for ever; a new meaning is
 * a new version. The tests of every op run over this table. */
#ifndef HONE_CORE_OPS_REGISTRY_H
#define HONE_CORE_OPS_REGISTRY_H
#include "base/error.h"
#include "hone/ops.h"

/* NULL when there is no such op (no error is set). [any-thread] */
const hone_op *hone_op_find(const char *name);
/* The same; sets E_NOT_FOUND with the closest name as hint. [any-thread] */
hone_status hone_op_get(const char *name, const hone_op **out);
/* The i-th op, built-in ones first, or NULL past the end. [any-thread] */
const hone_op *hone_op_at(size_t i);
/* Adds ops (NULL-terminated), all or none; they must live until the process ends or _unregister_.
 * E_EXISTS for a taken name, E_INVALID for a malformed descriptor, E_LIMIT when full.
 * [control-thread] */
hone_status hone_op_register_pack(const hone_op *const *ops);
void hone_op_unregister_pack(const hone_op *const *ops);
#endif
