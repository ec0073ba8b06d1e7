/* safetensors.c - the header checked whole before a byte of data is believed.
 *
 * Order of checks: length of the header against the file and the limit; the JSON (limits, duplicate keys
 * and UTF-8 are core/base/json's); each entry's dtype, shape and offsets with overflow-checked arithmetic;
 * then, sorted by offset, that tensors follow each other without overlap or hole and end with the file.
 * That is what the reference implementation demands, so that no bytes hide between tensors. Unaligned
 * data is read correctly (values are loaded bytewise), because old files have it.
 *
 * Does not: hold a second copy of anything but the header. */
#include "nn/safetensors.h"
#include "base/alloc.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_SHOWN = 120, WRITE_BLOCK = 1 << 16, ALIGN = 8 };
static int shown(size_t len)
{
    return len < NAME_SHOWN ? (int)len : NAME_SHOWN;
}

static hone_status parse_dims(const hone_value *shape, hone_file_tensor *t)
{
    if (!shape || shape->type != HONE_LIST)
        return hone_fail(HONE_E_PARSE, "no shape");
    if (shape->u.list.n > HONE_FILE_DIMS)
        return hone_fail(HONE_E_UNSUPPORTED, "%zu dimensions (at most %d are read)",
                         shape->u.list.n, HONE_FILE_DIMS);
    t->n_dims = (uint32_t)shape->u.list.n;
    for (uint32_t i = 0; i < t->n_dims; i++) {
        const hone_value *v = &shape->u.list.items[i];
        if (v->type != HONE_I64 || v->u.i64 < 0)
            return hone_fail(HONE_E_PARSE, "its shape is no list of sizes");
        t->dims[i] = v->u.i64;
    }
    return HONE_OK;
}

/* One header entry; data_len: bytes behind the header. Errors do not name file and tensor yet. */
static hone_status parse_entry(const hone_value *v, const unsigned char *data, size_t data_len,
                               hone_file_tensor *t)
{
    if (v->type != HONE_MAP)
        return hone_fail(HONE_E_PARSE, "its description is no object");
    const hone_value *dtype = hone_value_get(v, "dtype");
    const hone_value *at = hone_value_get(v, "data_offsets");
    if (!dtype || dtype->type != HONE_STRING)
        return hone_fail(HONE_E_PARSE, "no dtype");
    t->type = hone_file_type_safetensors(dtype->u.str);
    if (!t->type) {
        hone_fail(HONE_E_UNSUPPORTED, "dtype \"%.*s\" is not known", shown(dtype->u.str.len),
                  dtype->u.str.ptr);
        return hone_fail_hint("hone reads F64 F32 F16 BF16 F8_E4M3 F8_E5M2, the integers and BOOL");
    }
    HONE_TRY(parse_dims(hone_value_get(v, "shape"), t));
    HONE_TRY(hone_file_tensor_shape(t));
    if (!at || at->type != HONE_LIST || at->u.list.n != 2 || at->u.list.items[0].type != HONE_I64 ||
        at->u.list.items[1].type != HONE_I64)
        return hone_fail(HONE_E_PARSE, "data_offsets is no pair of offsets");
    int64_t begin = at->u.list.items[0].u.i64, end = at->u.list.items[1].u.i64;
    if (begin < 0 || end < begin)
        return hone_fail(HONE_E_RANGE, "its offsets [%lld, %lld] run backwards", (long long)begin,
                         (long long)end);
    if ((uint64_t)end > data_len) {
        hone_fail(HONE_E_RANGE, "it ends at byte %lld of the data, which has %zu", (long long)end,
                  data_len);
        return hone_fail_hint("the file is cut off or was not copied whole");
    }
    if ((uint64_t)(end - begin) != t->size)
        return hone_fail(HONE_E_SHAPE, "its shape and dtype need %zu bytes, its offsets give %lld",
                         t->size, (long long)(end - begin));
    t->data = data + begin;
    return HONE_OK;
}

static int by_place(const void *a, const void *b)
{
    const hone_file_tensor *x = a, *y = b;
    if (x->data != y->data)
        return x->data < y->data ? -1 : 1;
    return x->size < y->size ? -1 : x->size > y->size;
}

static hone_status check_contiguous(const hone_safetensors *st, const unsigned char *data,
                                    size_t data_len, const char *name)
{
    size_t place = 0;
    for (size_t i = 0; i < st->n; i++) {
        const hone_file_tensor *t = &st->tensors[i];
        size_t begin = (size_t)(t->data - data);
        if (begin != place)
            return hone_fail(
                HONE_E_RANGE, "%s: tensor \"%.*s\" begins at byte %zu of the data, %s %zu", name,
                shown(t->name.len), t->name.ptr, begin,
                begin < place ? "inside the one that ends at" : "behind a hole from", place);
        place = begin + t->size;
    }
    if (place != data_len)
        return hone_fail(HONE_E_RANGE, "%s: %zu bytes behind the last tensor", name,
                         data_len - place);
    return HONE_OK;
}

static hone_status parse(hone_safetensors *st, const unsigned char *p, size_t len, const char *name)
{
    hone_value root;
    if (len < 8)
        return hone_fail(HONE_E_PARSE, "%s: %zu bytes are no safetensors file", name, len);
    uint64_t header = 0;
    for (int i = 7; i >= 0; i--)
        header = header << 8 | p[i];
    if (header > HONE_SAFETENSORS_HEADER_MAX) {
        hone_fail(HONE_E_LIMIT, "%s: its header claims %llu bytes (at most %zu)", name,
                  (unsigned long long)header, HONE_SAFETENSORS_HEADER_MAX);
        return hone_fail_hint("this is probably no safetensors file");
    }
    if (header > len - 8) {
        hone_fail(HONE_E_PARSE, "%s: its header of %llu bytes ends past the file (%zu bytes)", name,
                  (unsigned long long)header, len);
        return hone_fail_hint("the file is cut off or was not copied whole");
    }
    if (header < 2 || p[8] != '{')
        return hone_fail(HONE_E_PARSE, "%s: its header does not begin with \"{\"", name);
    const unsigned char *data = p + 8 + header;
    size_t data_len = len - 8 - (size_t)header;
    HONE_TRY(hone_json_parse((const char *)p + 8, (size_t)header, name, &st->arena, &root));
    if (root.type != HONE_MAP)
        return hone_fail(HONE_E_PARSE, "%s: its header is no object", name);

    st->tensors = hone_arena_calloc(&st->arena, root.u.map.n ? root.u.map.n : 1,
                                    sizeof *st->tensors);
    if (!st->tensors)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < root.u.map.n; i++) {
        const hone_pair *pair = &root.u.map.pairs[i];
        if (hone_str_eq(pair->key, "__metadata__")) {
            if (pair->value.type != HONE_MAP)
                return hone_fail(HONE_E_PARSE, "%s: __metadata__ is no object", name);
            for (size_t k = 0; k < pair->value.u.map.n; k++)
                if (pair->value.u.map.pairs[k].value.type != HONE_STRING)
                    return hone_fail(HONE_E_PARSE, "%s: __metadata__ holds more than strings",
                                     name);
            st->metadata = pair->value;
            continue;
        }
        hone_file_tensor *t = &st->tensors[st->n];
        t->name = pair->key;
        if (t->name.len == 0 || memchr(t->name.ptr, 0, t->name.len))
            return hone_fail(HONE_E_PARSE, "%s: tensor %zu has a malformed name", name, i);
        if (parse_entry(&pair->value, data, data_len, t) < 0)
            return hone_fail_at("%s: tensor \"%.*s\"", name, shown(pair->key.len), pair->key.ptr);
        st->n++;
    }
    if (st->n)
        qsort(st->tensors, st->n, sizeof *st->tensors, by_place);
    HONE_TRY(check_contiguous(st, data, data_len, name));
    for (size_t i = 0; i < st->n; i++) {
        hone_file_tensor *t = &st->tensors[i];
        HONE_TRY(hone_map_put(&st->names, t->name.ptr, t->name.len, t, NULL));
    }
    return HONE_OK;
}

hone_status hone_safetensors_parse(hone_safetensors *st, const void *bytes, size_t n,
                                   const char *name)
{
    hone_safetensors fresh = {0};
    hone_arena_init(&fresh.arena, (size_t)4 << 30);
    hone_map_init(&fresh.names);
    hone_status s = parse(&fresh, bytes, n, name);
    if (s < 0) {
        hone_safetensors_release(&fresh);
        return s;
    }
    *st = fresh;
    return HONE_OK;
}

hone_status hone_safetensors_open(hone_safetensors *st, const char *path)
{
    hone_mapped file;
    HONE_TRY(hone_file_map(path, &file));
    hone_status s = hone_safetensors_parse(st, file.ptr, file.len, path);
    if (s < 0) {
        hone_file_unmap(&file);
        return s;
    }
    st->file = file;
    return HONE_OK;
}

void hone_safetensors_release(hone_safetensors *st)
{
    hone_map_release(&st->names);
    hone_arena_release(&st->arena);
    if (st->file.ptr)
        hone_file_unmap(&st->file);
    memset(st, 0, sizeof *st);
}

const hone_file_tensor *hone_safetensors_find(const hone_safetensors *st, hone_str name)
{
    return hone_map_get(&st->names, name.ptr, name.len);
}

/* ---- writing ------------------------------------------------------------------------------------- */
static int by_order(const void *a, const void *b)
{
    const hone_safetensors_entry *x = a, *y = b;
    uint32_t wx = hone_file_type_get(x->type)->bytes, wy = hone_file_type_get(y->type)->bytes;
    if (wx != wy)
        return wx > wy ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Checks, sizes and sorts the entries; the JSON header, padded with spaces, into `header`. */
static hone_status plan(hone_safetensors_entry *entries, size_t n, const char *const (*metadata)[2],
                        size_t n_meta, hone_buf *header, uint64_t *data_bytes)
{
    for (size_t i = 0; i < n; i++) {
        hone_safetensors_entry *e = &entries[i];
        hone_file_tensor t = {0};
        t.type = hone_file_type_get(e->type);
        if (!t.type || !t.type->safetensors)
            return hone_fail(HONE_E_UNSUPPORTED,
                             "tensor \"%s\" has a type that safetensors has not", e->name);
        if (e->n_dims > HONE_FILE_DIMS)
            return hone_fail(HONE_E_INVALID, "tensor \"%s\" has %u dimensions", e->name, e->n_dims);
        t.n_dims = e->n_dims;
        memcpy(t.dims, e->dims, sizeof t.dims);
        if (hone_file_tensor_shape(&t) < 0)
            return hone_fail_at("tensor \"%s\"", e->name);
        e->size = t.size;
    }
    if (n)
        qsort(entries, n, sizeof *entries, by_order);
    hone_jw w;
    hone_jw_init(&w, header, 0);
    hone_jw_map(&w);
    hone_jw_key(&w, "__metadata__");
    hone_jw_map(&w);
    hone_jw_kcstr(&w, "format", "pt");
    for (size_t i = 0; i < n_meta; i++)
        hone_jw_kcstr(&w, metadata[i][0], metadata[i][1]);
    hone_jw_end(&w);
    size_t place = 0;
    for (size_t i = 0; i < n; i++) {
        const hone_safetensors_entry *e = &entries[i];
        if (i && strcmp(e->name, entries[i - 1].name) == 0)
            return hone_fail(HONE_E_EXISTS, "tensor \"%s\" twice in one file", e->name);
        size_t end;
        if (!hone_add_size(place, e->size, &end) || end > INT64_MAX)
            return hone_fail(HONE_E_RANGE, "tensor \"%s\": the file would be too large", e->name);
        hone_jw_key(&w, e->name);
        hone_jw_map(&w);
        hone_jw_kcstr(&w, "dtype", hone_file_type_get(e->type)->safetensors);
        hone_jw_key(&w, "shape");
        hone_jw_list(&w);
        for (uint32_t d = 0; d < e->n_dims; d++)
            hone_jw_i64(&w, e->dims[d]);
        hone_jw_end(&w);
        hone_jw_key(&w, "data_offsets");
        hone_jw_list(&w);
        hone_jw_i64(&w, (int64_t)place);
        hone_jw_i64(&w, (int64_t)end);
        hone_jw_end(&w);
        hone_jw_end(&w);
        place = end;
    }
    hone_jw_end(&w);
    while (header->failed >= 0 && header->len % ALIGN)
        hone_buf_addc(header, ' ');
    HONE_TRY(hone_buf_check(header, "the header of the safetensors file"));
    *data_bytes = place;
    return HONE_OK;
}

hone_status hone_safetensors_plan(hone_safetensors_entry *entries, size_t n, uint64_t *bytes)
{
    hone_buf header;
    uint64_t data = 0;
    hone_buf_init(&header, HONE_SAFETENSORS_HEADER_MAX);
    hone_status s = plan(entries, n, NULL, 0, &header, &data);
    if (s >= 0)
        *bytes = 8 + header.len + data;
    hone_buf_release(&header);
    return s;
}

hone_status hone_safetensors_create(hone_safetensors_writer *w, const char *path,
                                    hone_safetensors_entry *entries, size_t n,
                                    const char *const (*metadata)[2], size_t n_meta)
{
    hone_safetensors_writer fresh = {.entries = entries, .n = n};
    hone_buf header;
    uint64_t data = 0;
    unsigned char length[8];
    hone_status s;
    hone_buf_init(&header, HONE_SAFETENSORS_HEADER_MAX);
    HONE_TRY_GOTO(plan(entries, n, metadata, n_meta, &header, &data), failed);
    fresh.block = hone_alloc(WRITE_BLOCK);
    if (!fresh.block) {
        s = HONE_E_NOMEM;
        goto failed;
    }
    HONE_TRY_GOTO(hone_writer_create(&fresh.out, path), failed);
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)((uint64_t)header.len >> (8 * i));
    s = hone_writer_add(&fresh.out, length, sizeof length);
    if (s >= 0)
        s = hone_writer_add(&fresh.out, header.ptr, header.len);
    if (s < 0) {
        hone_writer_abandon(&fresh.out);
        goto failed;
    }
    hone_buf_release(&header);
    *w = fresh;
    return HONE_OK;
failed:
    hone_buf_release(&header);
    hone_free(fresh.block);
    return s;
}

/* Steps over finished (and empty) entries. */
static void settle(hone_safetensors_writer *w)
{
    while (w->at < w->n && w->done == w->entries[w->at].size) {
        w->at++;
        w->done = 0;
    }
}

hone_status hone_safetensors_add_bytes(hone_safetensors_writer *w, const void *bytes, size_t n)
{
    if (n == 0)
        return HONE_OK;
    settle(w);
    if (w->at == w->n || n > w->entries[w->at].size - w->done)
        return hone_fail(HONE_E_STATE, "more data than tensor \"%s\" holds",
                         w->at < w->n ? w->entries[w->at].name : "(none left)");
    HONE_TRY(hone_writer_add(&w->out, bytes, n));
    w->done += n;
    return HONE_OK;
}

hone_status hone_safetensors_add(hone_safetensors_writer *w, const float *values, size_t n)
{
    if (n == 0)
        return HONE_OK;
    settle(w);
    if (w->at == w->n)
        return hone_fail(HONE_E_STATE, "more data than the file holds");
    const hone_file_type *type = hone_file_type_get(w->entries[w->at].type);
    if (!type->narrow)
        return hone_fail(HONE_E_UNSUPPORTED, "tensor \"%s\": %s is not written from floats",
                         w->entries[w->at].name, type->name);
    while (n > 0) {
        size_t take = WRITE_BLOCK / type->bytes;
        if (take > n)
            take = n;
        type->narrow(values, w->block, take);
        HONE_TRY(hone_safetensors_add_bytes(w, w->block, take * type->bytes));
        values += take;
        n -= take;
    }
    return HONE_OK;
}

hone_status hone_safetensors_close(hone_safetensors_writer *w)
{
    hone_status s;
    settle(w);
    if (w->at < w->n) {
        s = w->out.failed < 0 ? w->out.failed
                              : hone_fail(HONE_E_STATE, "tensor \"%s\" was not written whole",
                                          w->entries[w->at].name);
        hone_safetensors_abandon(w);
        return s;
    }
    s = hone_writer_close(&w->out);
    hone_free(w->block);
    memset(w, 0, sizeof *w);
    return s;
}

void hone_safetensors_abandon(hone_safetensors_writer *w)
{
    hone_writer_abandon(&w->out);
    hone_free(w->block);
    memset(w, 0, sizeof *w);
}
