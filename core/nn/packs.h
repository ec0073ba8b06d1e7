/* packs.h - op packs: components of kind `ops` give their ops to the table of all ops. */
#ifndef HONE_CORE_NN_PACKS_H
#define HONE_CORE_NN_PACKS_H
#include "host/registry.h"

/* Registers the ops of every component of kind `ops` that the registry has, once; they are there until
 * it closes. Called before a model is chosen: a model may use them, and so may a recipe. A pack that
 * cannot be loaded, or that has the name of an op that is there already, is a warning: who asks for its
 * ops gets the error. Fails for lack of memory only. [control-thread] */
hone_status hone_packs_load(hone_registry *r);
#endif
