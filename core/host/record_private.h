/* record_private.h - the file of recorded calls, byte by byte. Internal to core/host/record.c and replay.c. */
#ifndef HONE_CORE_HOST_RECORD_PRIVATE_H
#define HONE_CORE_HOST_RECORD_PRIVATE_H
#include "hone/base.h"

#define HONE__RECORD_MAGIC "hone-record 1\n"
#define HONE__RECORD_FRAME 0x63657268u /* "hrec" */
enum { HONE__RECORD_CALL = 1, HONE__RECORD_RESULT = 2 };
/* Room for what sinks are given in one call. Nothing of it is touched before it is used. */
#define HONE__RECORD_ROOM ((size_t)16 << 20)

typedef struct hone__record_frame {
    uint32_t magic, type;
    uint64_t id, json_len, len;
} hone__record_frame;
HONE_STATIC_ASSERT(sizeof(hone__record_frame) == 32, "no padding");
#endif
