/* record.h - calls of components written down, and made again: bug reports without the data set, the model or the run.
 *
 * With HONE_RECORD=FILE in the environment every call into a component of kind reward, judge, tokenizer, objective or
 * sink, or of a third party's kind, is appended to FILE before it is made, and its result afterwards; HONE_RECORD_OF=NAME keeps
 * to one component (short name or id). Calls pass through the marshaller (wire.h), as into a box: only what the component
 * `wants` is in the file; secrets in its settings are not.
 *
 * The file: "hone-record 1\n", then frames, each a hone__record_frame, its JSON and its bytes. A call's JSON names component,
 * version, interface with the hash of its description, slot and settings. Bytes are those of wire.h with offsets,
 * so they can be read by whoever distrusts them. (plugin-abi.md 3a, use 4) */
#ifndef HONE_CORE_HOST_RECORD_H
#define HONE_CORE_HOST_RECORD_H
#include "host/registry.h"
#include "base/arena.h"
#include "base/buf.h"

/* ---- writing, by registry.c and instance.c ------------------------------------------------------- */

typedef struct hone__recorder hone__recorder;
/* From the environment: *out is NULL when nothing is to be recorded. E_IO when the file cannot be written. */
hone_status hone__recorder_open(hone__recorder **out);
void hone__recorder_close(hone__recorder *r); /* NULL allowed */
/* The table that stands for `vt` of the instance's interface, with *self to go with it; `vt` itself where nothing
 * is recorded. */
const void *hone__recorder_table(hone__recorder *r, hone_instance *inst, const char *iface,
                                 const void *vt, void **self);
void hone__recorder_forget(hone__recorder *r, const hone_instance *inst); /* it goes */

/* ---- reading ------------------------------------------------------------------------------------- */

typedef struct hone_record {
    hone_str component, version, iface, hash, slot, settings; /* settings: a JSON map */
    const unsigned char *call, *result; /* 16-byte aligned; result NULL: it never came back */
    size_t call_len, result_len;
    uint64_t id;
} hone_record;
typedef struct hone_records {
    hone_record *v;
    size_t n;
    hone_arena arena;
    hone_buf bytes;
} hone_records;
/* The calls of a file, in the order in which they began. A frame that is cut at the end is passed over: the process
 * died. E_PARSE naming the byte for anything else. */
hone_status hone_records_read(const char *path, hone_records *out);
void hone_records_free(hone_records *r);

enum { HONE_REPLAY_SAME, HONE_REPLAY_DIFFERS, HONE_REPLAY_NEW /* no result was recorded */ };
/* Makes the call again on an instance, and says in `text` what differs from the recorded result. E_ABI when its interface is
 * described otherwise now. */
hone_status hone_record_replay(hone_registry *reg, hone_instance *inst, const hone_record *r,
                               int *verdict, hone_buf *text);
#endif
