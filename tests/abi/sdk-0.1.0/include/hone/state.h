/* hone/state.h - interfaces that any component may offer: saved state, cancelling, live settings, metrics.
 *
 * hone.state/1 makes a component part of a checkpoint: a saved, loaded and saved again instance gives
 * the same bytes, and a state that is random, short or of another version is refused with a text.
 * (plugin-abi.md 3, 5) */
#ifndef HONE_STATE_H
#define HONE_STATE_H
#include "hone/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HONE_IFACE_STATE "hone.state/1"
#define HONE_IFACE_CANCEL "hone.cancel/1"
#define HONE_IFACE_LIVE "hone.live/1"
#define HONE_IFACE_METRICS "hone.metrics/1"

typedef struct hone_out_stream {
    uint32_t struct_size, reserved;
    void *ctx;
    hone_status (*write)(const struct hone_out_stream *out, const void *bytes_bor,
                         size_t n); /* all or failure [control-thread] */
} hone_out_stream;
typedef struct hone_in_stream {
    uint32_t struct_size, reserved;
    void *ctx;
    /* Up to n bytes; *got is 0 at the end only. [control-thread] */
    hone_status (*read)(const struct hone_in_stream *in, void *bytes, size_t n, size_t *got);
} hone_in_stream;

typedef struct hone_state_v1 {
    uint32_t struct_size, reserved;
    hone_status (*save)(void *self, const hone_out_stream *out); /* [control-thread & !active] */
    hone_status (*load)(
        void *self, const hone_in_stream *in); /* unchanged on failure [control-thread & !active] */
} hone_state_v1;

typedef struct hone_cancel_v1 {
    uint32_t struct_size, reserved;
    /* Call `call_id` is no longer wanted. The one function that may come while another is active: it may
     * set an atomic and nothing else. [any-thread] */
    void (*cancel)(void *self, uint64_t call_id);
} hone_cancel_v1;

typedef struct hone_live_v1 {
    uint32_t struct_size, reserved;
    /* Live settings changed; `cfg` is the new whole configuration, valid until the next apply or
     * destroy. A failure leaves the old one in force. [control-thread & !active] */
    hone_status (*apply)(void *self, const hone_config *cfg_bor);
} hone_live_v1;

typedef struct hone_metric_sink {
    uint32_t struct_size, reserved;
    void *ctx;
    void (*put)(const struct hone_metric_sink *sink, hone_str name,
                double value); /* [control-thread] */
} hone_metric_sink;
typedef struct hone_metrics_v1 {
    uint32_t struct_size, reserved;
    hone_status (*collect)(void *self,
                           const hone_metric_sink *sink); /* [control-thread & !active] */
} hone_metrics_v1;

#ifdef __cplusplus
}
#endif
#endif
