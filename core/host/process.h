/* process.h - hone.process/1 of the host: see sdk/include/hone/host.h and process.c. */
#ifndef HONE_CORE_HOST_PROCESS_H
#define HONE_CORE_HOST_PROCESS_H
#include "host/registry.h"

/* For hone_registry_offer. [control-thread] */
hone_status hone__process_make(void *ctx, hone_instance *inst, hone_ref *out);
/* This thread starts or ends a program for a plugin: files that it opens now are the host's own business. */
extern _Thread_local int hone__process_at_work;
#endif
