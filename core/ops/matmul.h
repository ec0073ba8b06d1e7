/* matmul.h - hone.matmul/1 for plugins: the core's matrix products on one thread (hone/matmul.h). */
#ifndef HONE_CORE_OPS_MATMUL_H
#define HONE_CORE_OPS_MATMUL_H
#include "hone/matmul.h"
#include "host/registry.h"

/* For hone_registry_on_open. [control-thread] */
hone_status hone_matmul_offer(hone_registry *r);
#endif
