/* hone/sink.h - where metrics and traces of a run go besides its own files.
 *
 * One-way: a sink that fails is reported once and gets no more events; a run never waits for it
 * longer than one call. (plugin-abi.md 3) */
#ifndef HONE_SINK_H
#define HONE_SINK_H
#include "hone/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HONE_IFACE_SINK "hone.sink/1"

typedef struct hone_sink_v1 {
    uint32_t struct_size, reserved;
    /* `fields` is a map, by kind (unknown kinds and fields are passed over):
     *   "run"         name, seed, dir, from_step (0; of the checkpoint that is resumed or branched from)
     *   "step"        the line of metrics.jsonl; steps after a checkpoint come again when a run is resumed there
     *   "eval"        step, policy, name (when given), reward, mean, lo, hi, n
     *   "alarm"       step, kind, value, limit, text: a monitor's (run:monitor)
     *   "checkpoint"  step; "done" step, when the recipe came to its end. A flush follows both.
     * [control-thread & active] */
    hone_status (*event)(void *self, hone_str kind, const hone_value *fields_bor);
    hone_status (*flush)(
        void *self); /* all that came before is out when it returns [control-thread & active] */
} hone_sink_v1;

/* In C, `const hone_component NAME`, a sink with the functions of `table`: see HONE_DEFINE_COMPONENT. */
#define HONE_DEFINE_SINK(name, table, ...)                                                         \
    HONE_DEFINE_COMPONENT(name, HONE_KIND_SINK, HONE_IFACE_SINK, table, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
