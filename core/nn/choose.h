/* choose.h - the model component that runs a configuration, with an instance of its own. */
#ifndef HONE_CORE_NN_CHOOSE_H
#define HONE_CORE_NN_CHOOSE_H
#include "host/registry.h"
#include "nn/model.h"

/* Asks every model component of the registry and lets the surest declare its parameters (hone_model_create:
 * parameters are zero, nothing is read). *inst: the instance the model stands on; unref it after the model
 * is destroyed. flags: HONE_MODEL_*. `place` names the configuration in errors. [control-thread] */
hone_status hone_model_choose(hone_registry *registry, const char *format, const hone_value *config,
                              const char *place, uint32_t flags, hone_instance **inst,
                              hone_model **out);
#endif
