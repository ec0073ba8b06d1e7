/* gguf_write.c - little-endian fields into a buffer, then tensors into a file.
 *
 * A pair is key (length, bytes), value type, value; a tensor's description is name, dims from the innermost,
 * type, offset within the data. Data begins, and each tensor begins, at a multiple of HONE_GGUF_ALIGNMENT;
 * the gaps are zero. Everything is checked before the file is begun; while it is written only the disk can
 * fail. */
#include "nn/gguf_write.h"
#include "base/alloc.h"
#include "nn/dequant.h"

#include <string.h>

enum { NAME_MAX_LLAMA = 63 };
/* Value types of the format that are written. */
enum { V_U32 = 4, V_I32 = 5, V_F32 = 6, V_BOOL = 7, V_STRING = 8, V_ARRAY = 9, V_I64 = 11 };

static void put(hone_buf *b, uint64_t v, size_t n)
{
    unsigned char bytes[8];
    for (size_t i = 0; i < n; i++)
        bytes[i] = (unsigned char)(v >> (8 * i));
    hone_buf_add(b, bytes, n);
}
static void put_f32(hone_buf *b, float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    put(b, u, 4);
}
static void put_string(hone_buf *b, hone_str s)
{
    put(b, s.len, 8);
    hone_buf_add_str(b, s);
}

/* ---- metadata ---------------------------------------------------------------------------------------- */
void hone_gguf_meta_init(hone_gguf_meta *m)
{
    memset(m, 0, sizeof *m);
    hone_buf_init(&m->bytes, (size_t)2 << 30);
    hone_map_init(&m->keys);
}

void hone_gguf_meta_release(hone_gguf_meta *m)
{
    hone_buf_release(&m->bytes);
    hone_map_release(&m->keys);
}

int hone_gguf_meta_has(const hone_gguf_meta *m, const char *key)
{
    return hone_map_has(&m->keys, key, strlen(key));
}

/* The key is new: now its value must follow. */
static int begin(hone_gguf_meta *m, hone_str key)
{
    if (hone_map_has(&m->keys, key.ptr, key.len))
        return 0;
    if (hone_map_put(&m->keys, key.ptr, key.len, m, NULL) < 0) {
        m->bytes.failed = HONE_E_NOMEM;
        return 0;
    }
    m->n++;
    put_string(&m->bytes, key);
    return 1;
}
static int begin_typed(hone_gguf_meta *m, const char *key, uint32_t type)
{
    if (!begin(m, hone_str_c(key)))
        return 0;
    put(&m->bytes, type, 4);
    return 1;
}
static void put_array(hone_buf *b, uint32_t type, size_t n)
{
    put(b, V_ARRAY, 4);
    put(b, type, 4);
    put(b, n, 8);
}

void hone_gguf_meta_u32(hone_gguf_meta *m, const char *key, uint32_t v)
{
    if (begin_typed(m, key, V_U32))
        put(&m->bytes, v, 4);
}
void hone_gguf_meta_f32(hone_gguf_meta *m, const char *key, float v)
{
    if (begin_typed(m, key, V_F32))
        put_f32(&m->bytes, v);
}
void hone_gguf_meta_bool(hone_gguf_meta *m, const char *key, int v)
{
    if (begin_typed(m, key, V_BOOL))
        put(&m->bytes, v != 0, 1);
}
void hone_gguf_meta_str(hone_gguf_meta *m, const char *key, hone_str v)
{
    if (begin_typed(m, key, V_STRING))
        put_string(&m->bytes, v);
}
void hone_gguf_meta_f32s(hone_gguf_meta *m, const char *key, const float *v, size_t n)
{
    if (!begin(m, hone_str_c(key)))
        return;
    put_array(&m->bytes, V_F32, n);
    for (size_t i = 0; i < n; i++)
        put_f32(&m->bytes, v[i]);
}
void hone_gguf_meta_i32s(hone_gguf_meta *m, const char *key, const int32_t *v, size_t n)
{
    if (!begin(m, hone_str_c(key)))
        return;
    put_array(&m->bytes, V_I32, n);
    for (size_t i = 0; i < n; i++)
        put(&m->bytes, (uint32_t)v[i], 4);
}
void hone_gguf_meta_strs(hone_gguf_meta *m, const char *key, const hone_str *v, size_t n)
{
    if (!begin(m, hone_str_c(key)))
        return;
    put_array(&m->bytes, V_STRING, n);
    for (size_t i = 0; i < n; i++)
        put_string(&m->bytes, v[i]);
}
void hone_gguf_meta_raw(hone_gguf_meta *m, hone_str key, hone_str raw)
{
    if (begin(m, key))
        hone_buf_add_str(&m->bytes, raw);
}

static hone_status no_value(hone_str key, const char *what)
{
    return hone_fail(HONE_E_UNSUPPORTED, "metadata \"%.*s\": GGUF holds no %s",
                     (int)(key.len < 120 ? key.len : 120), key.ptr, what);
}

static hone_status put_list(hone_gguf_meta *m, hone_str key, const hone_value *v)
{
    const hone_value *items = v->u.list.items;
    size_t n = v->u.list.n, strings = 0, whole = 0, numbers = 0;
    for (size_t i = 0; i < n; i++) {
        int small = items[i].type == HONE_I64 && items[i].u.i64 >= INT32_MIN &&
                    items[i].u.i64 <= INT32_MAX;
        strings += items[i].type == HONE_STRING || items[i].type == HONE_BYTES;
        whole += small;
        numbers += small || items[i].type == HONE_F64;
    }
    if (strings != n && whole != n && numbers != n)
        return no_value(key, "list of more than one kind");
    if (!begin(m, key))
        return HONE_OK;
    uint32_t type = whole == n ? V_I32 : strings == n ? V_STRING : V_F32;
    put_array(&m->bytes, type, n);
    for (size_t i = 0; i < n; i++)
        if (type == V_STRING)
            put_string(&m->bytes, items[i].u.str);
        else if (type == V_I32)
            put(&m->bytes, (uint32_t)items[i].u.i64, 4);
        else
            put_f32(&m->bytes,
                    items[i].type == HONE_I64 ? (float)items[i].u.i64 : (float)items[i].u.f64);
    return HONE_OK;
}

hone_status hone_gguf_meta_value(hone_gguf_meta *m, hone_str key, const hone_value *v)
{
    if (v->type == HONE_LIST)
        return put_list(m, key, v);
    if (v->type == HONE_MAP || v->type == HONE_NULL)
        return no_value(key, v->type == HONE_MAP ? "map" : "null");
    if (!begin(m, key))
        return HONE_OK;
    hone_buf *b = &m->bytes;
    switch (v->type) {
    case HONE_BOOL:
        put(b, V_BOOL, 4);
        put(b, v->u.boolean != 0, 1);
        break;
    case HONE_I64:
        if (v->u.i64 >= 0 && v->u.i64 <= UINT32_MAX) {
            put(b, V_U32, 4);
            put(b, (uint64_t)v->u.i64, 4);
        } else {
            put(b, V_I64, 4);
            put(b, (uint64_t)v->u.i64, 8);
        }
        break;
    case HONE_F64:
        put(b, V_F32, 4);
        put_f32(b, (float)v->u.f64);
        break;
    default:
        put(b, V_STRING, 4);
        put_string(b, v->u.str);
        break;
    }
    return HONE_OK;
}

/* ---- the file ---------------------------------------------------------------------------------------- */
static const unsigned char zeros[HONE_GGUF_ALIGNMENT];
static size_t padding(uint64_t n)
{
    return (size_t)(HONE_GGUF_ALIGNMENT - n % HONE_GGUF_ALIGNMENT) % HONE_GGUF_ALIGNMENT;
}

/* Sets the size. */
static hone_status check_entry(hone_gguf_entry *e, hone_map *names)
{
    const hone_file_type *type = hone_file_type_get(e->type);
    hone_file_tensor t = {.type = type, .n_dims = e->n_dims};
    size_t len = strlen(e->name);
    if (!type || type->ggml < 0 || e->n_dims < 1 || e->n_dims > HONE_GGUF_DIMS)
        return hone_fail(HONE_E_INVALID, "tensor \"%.120s\": its type or shape is not of GGUF",
                         e->name);
    if (len == 0 || len > NAME_MAX_LLAMA) {
        hone_fail(HONE_E_INVALID, "tensor \"%.120s\": its name has %zu bytes", e->name, len);
        return hone_fail_hint("llama.cpp reads names of 1 to %d bytes", NAME_MAX_LLAMA);
    }
    if (hone_map_has(names, e->name, len))
        return hone_fail(HONE_E_INVALID, "tensor \"%s\" twice", e->name);
    HONE_TRY(hone_map_put(names, e->name, len, e, NULL));
    memcpy(t.dims, e->dims, sizeof e->dims);
    if (hone_file_tensor_shape(&t) < 0)
        return hone_fail_at("tensor \"%s\"", e->name);
    e->size = t.size;
    return HONE_OK;
}

static hone_status put_header(hone_buf *b, const hone_gguf_meta *meta, hone_gguf_entry *entries,
                              size_t n)
{
    uint64_t offset = 0;
    hone_map names;
    hone_status s = HONE_OK;
    hone_map_init(&names);
    hone_buf_add(b, "GGUF", 4);
    put(b, 3, 4);
    put(b, n, 8);
    put(b, meta->n, 8);
    hone_buf_add(b, meta->bytes.ptr, meta->bytes.len);
    for (size_t i = 0; i < n && s >= 0; i++) {
        hone_gguf_entry *e = &entries[i];
        if ((s = check_entry(e, &names)) < 0)
            break;
        put_string(b, hone_str_c(e->name));
        put(b, e->n_dims, 4);
        for (uint32_t d = e->n_dims; d-- > 0;)
            put(b, (uint64_t)e->dims[d], 8);
        put(b, (uint64_t)hone_file_type_get(e->type)->ggml, 4);
        put(b, offset, 8);
        if (e->size > (UINT64_MAX >> 1) - offset)
            s = hone_fail(HONE_E_RANGE, "the tensors are too large for one file");
        offset += e->size + padding(e->size);
    }
    hone_buf_add(b, zeros, padding(b->len));
    hone_map_release(&names);
    return s < 0 ? s : hone_buf_check(b, "GGUF header");
}

hone_status hone_gguf_create(hone_gguf_writer *w, const char *path, const hone_gguf_meta *meta,
                             hone_gguf_entry *entries, size_t n)
{
    hone_buf header;
    memset(w, 0, sizeof *w);
    HONE_TRY(hone_buf_check(&meta->bytes, "GGUF metadata"));
    hone_buf_init(&header, (size_t)3 << 30);
    hone_status s = put_header(&header, meta, entries, n);
    if (s >= 0)
        s = hone_writer_create(&w->out, path);
    else
        hone_fail_at("%s", path);
    if (s >= 0 && (s = hone_writer_add(&w->out, header.ptr, header.len)) < 0)
        hone_writer_abandon(&w->out);
    hone_buf_release(&header);
    w->entries = entries;
    w->n = n;
    return s;
}

/* Steps over tensors that are whole. */
static hone_status settle(hone_gguf_writer *w)
{
    while (w->at < w->n && w->done == w->entries[w->at].size) {
        HONE_TRY(hone_writer_add(&w->out, zeros, padding(w->done)));
        w->at++;
        w->done = 0;
    }
    return HONE_OK;
}

hone_status hone_gguf_add(hone_gguf_writer *w, const void *bytes, size_t n)
{
    if (n == 0)
        return HONE_OK;
    HONE_TRY(settle(w));
    if (w->at == w->n || n > w->entries[w->at].size - w->done)
        return hone_fail(HONE_E_STATE, "more data than tensor \"%s\" holds",
                         w->at < w->n ? w->entries[w->at].name : "(none left)");
    HONE_TRY(hone_writer_add(&w->out, bytes, n));
    w->done += n;
    return HONE_OK;
}

hone_status hone_gguf_close(hone_gguf_writer *w)
{
    hone_status s = settle(w);
    if (s >= 0 && w->at < w->n)
        s = w->out.failed < 0 ? w->out.failed
                              : hone_fail(HONE_E_STATE, "tensor \"%s\" was not written whole",
                                          w->entries[w->at].name);
    if (s < 0) {
        hone_gguf_abandon(w);
        return s;
    }
    s = hone_writer_close(&w->out);
    memset(w, 0, sizeof *w);
    return s;
}

void hone_gguf_abandon(hone_gguf_writer *w)
{
    hone_writer_abandon(&w->out);
    memset(w, 0, sizeof *w);
}
