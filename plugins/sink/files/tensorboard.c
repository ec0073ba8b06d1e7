/* tensorboard.c - metrics as a TensorBoard event file, so that `tensorboard --logdir runs` shows hone's runs.
 *
 * The file is a sequence of TFRecords: length (8 bytes, little endian), masked CRC-32C of those bytes, the message, its
 * masked CRC-32C. A message is a protobuf `Event`: wall_time (1), step (2), file_version (3), summary (5), session_log (7);
 * a `Summary` holds values (1) of a tag (1) and a simple_value (2) or, for texts, a string tensor (8) and metadata (9)
 * which says that the text plugin shows it. Written by hand: five kinds of field are all it takes.
 *
 * A run that is resumed begins a file of its own, whose session_log START at the first step to come tells TensorBoard to
 * forget what it read from there on. Names carry the time, and sort by it.
 * Sources: tensorflow/core/lib/io/record_writer.h, core/util/event.proto, core/framework/summary.proto; CRC-32C: RFC 3720. */
#include "files.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

typedef struct board {
    const hone_host *host;
    char folder[104];
    FILE *f;
    char *path;
    files_bytes event, inner, value, record; /* a message, and those inside it */
    uint32_t crc[256];
    char evals[64][96]; /* tags that evaluations of the step wrote: its line has them again */
    size_t n_evals;
    int64_t
        from; /* what comes of steps before is there already: a resumed recipe begins at its top */
} board;

/* ---- records ------------------------------------------------------------------------------------- */

static void crc_table(uint32_t t[256])
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++)
            c = c & 1 ? c >> 1 ^ 0x82F63B78u : c >> 1;
        t[i] = c;
    }
}

static uint32_t masked_crc(const board *b, const char *p, size_t n)
{
    uint32_t c = ~0u;
    for (size_t i = 0; i < n; i++)
        c = c >> 8 ^ b->crc[(c ^ (unsigned char)p[i]) & 255];
    c = ~c;
    return (c >> 15 | c << 17) + 0xA282EAD8u;
}

static void little(files_bytes *to, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        const unsigned char c = (unsigned char)(v >> (8 * i));
        files_add(to, &c, 1);
    }
}

static hone_status write_record(board *b, const files_bytes *message)
{
    files_bytes *r = &b->record;
    files_clear(r);
    little(r, message->n, 8);
    little(r, masked_crc(b, r->p, r->failed ? 0 : 8), 4);
    files_add(r, message->p, message->n);
    little(r, masked_crc(b, message->p, message->n), 4);
    if (message->failed || r->failed)
        return hone_host_fail(b->host, HONE_E_NOMEM, "an event does not fit into memory");
    if (fwrite(r->p, 1, r->n, b->f) != r->n)
        return files_fail(b->host, "cannot write", b->path);
    return HONE_OK;
}

/* ---- protobuf ------------------------------------------------------------------------------------- */

static void varint(files_bytes *to, uint64_t v)
{
    do {
        const unsigned char c = (unsigned char)((v & 127) | (v > 127 ? 128 : 0));
        files_add(to, &c, 1);
        v >>= 7;
    } while (v);
}

enum { VARINT = 0, EIGHT = 1, BYTES = 2, FOUR = 5 };

static void key(files_bytes *to, unsigned field, unsigned type)
{
    varint(to, field << 3 | type);
}

static void put_bytes(files_bytes *to, unsigned field, const char *p, size_t n)
{
    key(to, field, BYTES);
    varint(to, n);
    files_add(to, p, n);
}

static void put_message(files_bytes *to, unsigned field, const files_bytes *m)
{
    put_bytes(to, field, m->p, m->n);
    to->failed |= m->failed;
}

static void begin_event(board *b, int64_t step)
{
    struct timespec now;
    double wall;
    uint64_t bits;
    clock_gettime(CLOCK_REALTIME, &now);
    wall = (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
    memcpy(&bits, &wall, sizeof bits);
    files_clear(&b->event);
    key(&b->event, 1, EIGHT);
    little(&b->event, bits, 8);
    if (step) {
        key(&b->event, 2, VARINT);
        varint(&b->event, (uint64_t)step);
    }
}

static void add_scalar(board *b, hone_str tag, double v)
{
    const float x = (float)v;
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    files_clear(&b->value);
    put_bytes(&b->value, 1, tag.ptr, tag.len);
    key(&b->value, 2, FOUR);
    little(&b->value, bits, 4);
    put_message(&b->inner, 1, &b->value);
}

static void add_text(board *b, const char *tag, hone_str text)
{
    static const char meta[] = "\x0a\x06\x0a\x04text"; /* plugin_data { plugin_name } */
    static const char shape[] = "\x12\x02\x08\x01";    /* tensor_shape { dim { size: 1 } } */
    files_bytes *tensor = &b->record;                  /* free until the event is written */
    files_clear(tensor);
    key(tensor, 1, VARINT);
    varint(tensor, 7); /* DT_STRING */
    put_bytes(tensor, 2, shape, sizeof shape - 1);
    put_bytes(tensor, 8, text.ptr, text.len);
    files_clear(&b->value);
    put_bytes(&b->value, 1, tag, strlen(tag));
    put_message(&b->value, 8, tensor);
    put_bytes(&b->value, 9, meta, sizeof meta - 1);
    put_message(&b->inner, 1, &b->value);
}

static hone_status end_summary(board *b)
{
    put_message(&b->event, 5, &b->inner);
    return write_record(b, &b->event);
}

/* ---- events ------------------------------------------------------------------------------------- */

/* runs/x/tensorboard/events.out.tfevents.<seconds>.hone; a second one of the same second gets a number. */
static hone_status open_file(board *b, hone_str dir, int64_t from_step)
{
    char leaf[96];
    hone_status s;
    char *folder = files_path(dir, b->folder, NULL);
    if (!folder)
        return hone_host_fail(b->host, HONE_E_NOMEM, "no memory for a path");
    if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
        s = files_fail(b->host, "cannot make the folder", folder);
        free(folder);
        return s;
    }
    free(folder);
    for (int k = 0; k < 1000 && !b->f; k++) {
        free(b->path);
        snprintf(leaf, sizeof leaf, "events.out.tfevents.%010lld.hone", (long long)time(NULL));
        if (k)
            snprintf(leaf + strlen(leaf), sizeof leaf - strlen(leaf), ".%03d", k);
        b->path = files_path(dir, b->folder, leaf);
        if (!b->path)
            return hone_host_fail(b->host, HONE_E_NOMEM, "no memory for a path");
        b->f = fopen(b->path, "wbx");
        if (!b->f && errno != EEXIST)
            break;
    }
    if (!b->f)
        return files_fail(b->host, "cannot make", b->path);
    begin_event(b, 0);
    put_bytes(&b->event, 3, "brain.Event:2", 13);
    s = write_record(b, &b->event);
    if (s >= 0 && from_step > 0) { /* what was read from there on comes again */
        begin_event(b, from_step + 1);
        put_bytes(&b->event, 7, "\x08\x01", 2); /* session_log { status: START } */
        s = write_record(b, &b->event);
    }
    return s;
}

static int told(const board *b, hone_str tag)
{
    for (size_t i = 0; i < b->n_evals; i++) {
        if (strlen(b->evals[i]) == tag.len && memcmp(b->evals[i], tag.ptr, tag.len) == 0)
            return 1;
    }
    return 0;
}

static hone_status put_step(board *b, const hone_value *fields)
{
    size_t n = 0;
    double v;
    begin_event(b, files_step(fields, "step"));
    files_clear(&b->inner);
    for (size_t i = 0; i < fields->u.map.n; i++) {
        const hone_pair *p = &fields->u.map.pairs[i];
        if (!files_number(&p->value, &v) ||
            (p->key.len == 4 && memcmp(p->key.ptr, "step", 4) == 0) || told(b, p->key))
            continue;
        add_scalar(b, p->key, v);
        n++;
    }
    b->n_evals = 0;
    return n ? end_summary(b) : HONE_OK;
}

/* eval/<name>/<reward> with the ends of its interval. */
static hone_status put_eval(board *b, const hone_value *fields)
{
    static const char *const keys[] = {"mean", "lo", "hi"};
    static const char *const tails[] = {"", "/lo", "/hi"};
    const hone_str name = files_text(fields, "name"), reward = files_text(fields, "reward");
    char tag[96];
    double v;
    begin_event(b, files_step(fields, "step"));
    files_clear(&b->inner);
    for (int k = 0; k < 3; k++) {
        const int n = snprintf(tag, sizeof tag, "eval/%.*s%s%.*s%s",
                               (int)(name.len < 40 ? name.len : 40), name.ptr, name.len ? "/" : "",
                               (int)(reward.len < 40 ? reward.len : 40), reward.ptr, tails[k]);
        const hone_str text = {tag, (size_t)n};
        if (!files_number(files_field(fields, keys[k]), &v))
            continue;
        add_scalar(b, text, v);
        if (k == 0 && b->n_evals < sizeof b->evals / sizeof *b->evals)
            memcpy(b->evals[b->n_evals++], tag, sizeof tag);
    }
    return end_summary(b);
}

static hone_status event(void *self, hone_str kind, const hone_value *fields)
{
    board *b = self;
    if (fields->type != HONE_MAP)
        return HONE_OK;
    if (kind.len == 3 && memcmp(kind.ptr, "run", 3) == 0) {
        const hone_str dir = files_text(fields, "dir");
        if (dir.len == 0)
            return hone_host_fail(b->host, HONE_E_INVALID, "the run has no folder");
        b->from = files_step(fields, "from_step");
        return b->f ? HONE_OK : open_file(b, dir, b->from);
    }
    if (!b->f || files_step(fields, "step") < b->from)
        return HONE_OK;
    if (kind.len == 4 && memcmp(kind.ptr, "step", 4) == 0)
        return put_step(b, fields);
    if (kind.len == 4 && memcmp(kind.ptr, "eval", 4) == 0)
        return put_eval(b, fields);
    if (kind.len == 5 && memcmp(kind.ptr, "alarm", 5) == 0) {
        begin_event(b, files_step(fields, "step"));
        files_clear(&b->inner);
        add_text(b, "alarms", files_text(fields, "text"));
        return end_summary(b);
    }
    return HONE_OK;
}

static hone_status flush(void *self)
{
    board *b = self;
    if (b->f && fflush(b->f) != 0)
        return files_fail(b->host, "cannot write", b->path);
    return HONE_OK;
}

static const hone_sink_v1 table = {sizeof table, 0, event, flush};
static const hone_field *const fields[] = {
    HONE_STR("folder", "tensorboard", 0, "folder of the run directory that the event files go to"),
    NULL};

static hone_status create(const hone_host *host, const hone_config *cfg, void **out)
{
    const hone_str folder = cfg->str(cfg, 0);
    if (!files_name_ok(folder))
        return hone_host_fail(
            host, HONE_E_INVALID,
            "folder is the name of a folder in the run directory, without a slash");
    board *b = calloc(1, sizeof *b);
    if (!b)
        return hone_host_fail(host, HONE_E_NOMEM, "no memory");
    b->host = host;
    memcpy(b->folder, folder.ptr, folder.len);
    crc_table(b->crc);
    *out = b;
    return HONE_OK;
}

static void destroy(void *self)
{
    board *b = self;
    if (b->f)
        fclose(b->f);
    files_free(&b->event);
    files_free(&b->inner);
    files_free(&b->value);
    files_free(&b->record);
    free(b->path);
    free(b);
}

HONE_DEFINE_SINK(files_tensorboard, table, .id = "org.hone.sink.tensorboard", .version = "1.0.0",
                 .vendor = "hone",
                 .summary = "metrics as a TensorBoard event file in the run directory",
                 .caps = HONE_CAP_FS_WRITE, .fields = fields, .create = create, .destroy = destroy);
