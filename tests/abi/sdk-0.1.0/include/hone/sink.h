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
    /* `kind`: "run" "step" "eval" "checkpoint" "done"; `fields` is a map, for "step" the line of
     * metrics.jsonl. Unknown kinds are passed over. [io-thread & active] */
    hone_status (*event)(void *self, hone_str kind, const hone_value *fields_bor);
    hone_status (*flush)(
        void *self); /* all that came before is out when it returns [io-thread & active] */
} hone_sink_v1;

#ifdef __cplusplus
}
#endif
#endif
