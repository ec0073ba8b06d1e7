/* Any bytes as a file of the sources json and jsonl (fuzz_csv.c: csv, tsv, plain text; plain, gzip, zstd): rows or an
 * error; and a second reading from the position after the first batch goes on with the same rows. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "hone/source.h"

#ifndef HAVE_ZLIB
#define HAVE_ZLIB
#endif
#ifndef HAVE_ZSTD
#define HAVE_ZSTD
#endif
#include "../../plugins/source/sources/bytes.c"
#include "../../plugins/source/sources/batch.c"
#include "../../plugins/source/sources/check.c"
#include "../../plugins/source/sources/csv.c"
#include "../../plugins/source/sources/dataset.c"
#include "../../plugins/source/sources/files.c"
#include "../../plugins/source/sources/grow.c"
#include "../../plugins/source/sources/rows.c"
#include "../../plugins/source/sources/text.c"
#include "../../plugins/source/sources/sources.c"

#include <stdlib.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void *resize(void *self, void *p, size_t old_size, size_t size)
{
    (void)self;
    (void)old_size;
    if (size == 0) {
        free(p);
        return NULL;
    }
    return realloc(p, size);
}
static const hone_mem_v1 mem_vtable = {sizeof mem_vtable, 0, resize};
static hone_status get_mem(const hone_host *host, const char *id, hone_ref *out)
{
    (void)host;
    (void)id;
    out->self = NULL;
    out->vt = &mem_vtable;
    return HONE_OK;
}
static void ignore_log(const hone_host *host, uint32_t level, hone_str text)
{
    (void)host;
    (void)level;
    (void)text;
}
static hone_status give_back(const hone_host *host, hone_status s, hone_str text)
{
    (void)host;
    (void)text;
    return s;
}

#ifdef FUZZ_CSV
static hone_status (*const creators[])(const hone_host *, const hone_config *,
                                       void **) = {create_csv, create_tsv, create_dir};
#else
static hone_status (*const creators[])(const hone_host *, const hone_config *,
                                       void **) = {create_jsonl, create_json};
#endif
enum { N_CREATORS = sizeof creators / sizeof *creators };
static char file_path[64];
static int64_t skip, turn;
static hone_str cfg_str(const hone_config *cfg, uint32_t field)
{
    (void)cfg;
    return field == F_PATH            ? hone_str_c(file_path)
           : turn && field == F_TYPES ? hone_str_c("a:json")
                                      : hone_str_c("");
}
static int64_t cfg_i64(const hone_config *cfg, uint32_t field)
{
    (void)cfg;
    return field == F_MAX_ROW ? 100000 : field == F_ON_ERROR ? skip : turn; /* header; rows */
}

static unsigned char position[POSITION];
static hone_status note_position(const hone_bytes_sink *sink, const void *bytes, size_t n)
{
    (void)sink;
    memcpy(position, bytes, n < sizeof position ? n : sizeof position);
    return HONE_OK;
}

/* FNV of all rows that come, and how many; the position after the first batch, where asked. */
static uint64_t read_on(void *self, int note, size_t *count, uint64_t *first)
{
    const hone_source_v1 *vt = get_iface(self, HONE_IFACE_SOURCE);
    const hone_bytes_sink sink = {sizeof sink, 0, NULL, note_position};
    struct ArrowArrayStream s;
    struct ArrowArray a;
    uint64_t h = 14695981039346656037u;
    vt->open(self, &s);
    *count = 0;
    while (s.get_next(&s, &a) == 0 && a.release) {
        const int32_t *ends = a.children[0]->buffers[1];
        const unsigned char *text = a.children[0]->buffers[2];
        for (int64_t i = 0; i < ends[a.length]; i++)
            h = (h ^ text[i]) * 1099511628211u;
        *count += (size_t)a.length;
        a.release(&a);
        if (note && first) {
            vt->position(self, &sink);
            *first = h;
            h = 14695981039346656037u;
            *count = 0;
            first = NULL;
        }
    }
    s.release(&s);
    return h;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const hone_host host = {
        .struct_size = sizeof host, .get_iface = get_mem, .log = ignore_log, .fail = give_back};
    const hone_config cfg = {.struct_size = sizeof cfg, .str = cfg_str, .i64 = cfg_i64};
    int fd = memfd_create("rows", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, n) != (ssize_t)n)
        abort();
    snprintf(file_path, sizeof file_path, "/proc/self/fd/%d", fd);
    for (int k = 0; k < 4 * N_CREATORS; k++) {
        void *self;
        uint64_t first = 0, rest, again;
        size_t n_rest, n_again;
        skip = k & 1;
        turn = (k >> 1) & 1;
        if (creators[k >> 2](&host, &cfg, &self) < 0)
            continue;
        rest = read_on(self, 1, &n_rest, &first);
        if (first) {
            if (source_seek(self, position, sizeof position) < 0)
                abort();
            again = read_on(self, 0, &n_again, NULL);
            if (again != rest || n_again != n_rest)
                abort();
        }
        destroy(self);
    }
    close(fd);
    return 0;
}
