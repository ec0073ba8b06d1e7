/* builtin.h - the descriptors of the ops that work on rows; those on panels are in linear.h.
 * registry.c makes the table of all. */
#ifndef HONE_CORE_OPS_BUILTIN_H
#define HONE_CORE_OPS_BUILTIN_H
#include "hone/ops.h"

extern const hone_op hone_op_rmsnorm, hone_op_add_rmsnorm, hone_op_head_rmsnorm, hone_op_layernorm;
extern const hone_op hone_op_rope, hone_op_attention;
extern const hone_op hone_op_swiglu, hone_op_geglu, hone_op_magnitude;
/* activation.c: NULL-terminated */
extern const hone_op *const hone__ops_unary[];
/* elementwise.c, reshape.c: NULL-terminated */
extern const hone_op *const hone__ops_binary[], *const hone__ops_reshape[];
#endif
