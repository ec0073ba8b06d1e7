/* test.c - @name@ under the SDK's test host: rows, position and seek, a file that is not there. */
#include "hone/source.h"
#include "hone/testing.h"

enum { LINES = 600 };
static char where[64];
static size_t n_where;

static hone_status keep(const hone_bytes_sink *sink, const void *bytes, size_t n)
{
    (void)sink;
    HONE_CHECK(n <= sizeof where);
    memcpy(where, bytes, n);
    n_where = n;
    return HONE_OK;
}

/* The rows of the next batch; *first is the number of its first line, *len the bytes of that line. */
static int64_t next(struct ArrowArrayStream *stream, int64_t *first, int32_t *len)
{
    struct ArrowArray a;
    int64_t n = 0;
    if (!HONE_CHECK(stream->get_next(stream, &a) == 0) || !a.release)
        return 0;
    n = a.length;
    HONE_CHECK(a.n_children == 2 && a.children[0]->length == n && a.children[1]->length == n);
    *len = ((const int32_t *)a.children[0]->buffers[1])[1];
    *first = ((const int64_t *)a.children[1]->buffers[1])[0];
    a.release(&a);
    return n;
}

int main(void)
{
    static const char *const settings[] = {"path=test-lines.txt", NULL};
    static const char *const nothing[] = {"path=not/there.txt", NULL};
    hone_test t;
    FILE *f = fopen("test-lines.txt", "wb");
    for (int i = 0; f && i < LINES; i++)
        fprintf(f, "line %d%s", i + 1, i + 1 < LINES ? "\n" : ""); /* the last one has no end */
    HONE_CHECK(f && fclose(f) == 0);
    if (!hone_test_begin(&t, "@name@", settings))
        return hone_test_result();
    const hone_source_v1 *s = hone_test_iface(&t, HONE_IFACE_SOURCE);
    if (!HONE_CHECK(s != NULL))
        return hone_test_result();
    const hone_bytes_sink sink = {sizeof sink, 0, NULL, keep};
    struct ArrowArrayStream stream;
    struct ArrowSchema schema;
    HONE_CHECK(s->open(t.self, &stream) == HONE_OK);
    HONE_CHECK(stream.get_schema(&stream, &schema) == 0 && schema.n_children == 2);
    HONE_CHECK(strcmp(schema.children[0]->name, "text") == 0);
    schema.release(&schema);
    int64_t first = 0, n = next(&stream, &first, &(int32_t){0}), total = n, again = 0;
    int32_t len = 0, len_again = 0;
    HONE_CHECK(n > 0 && first == 1);
    HONE_CHECK(s->position(t.self, &sink) == HONE_OK && n_where > 0);
    n = next(&stream, &first, &len);
    total += n;
    HONE_CHECK(first == total - n + 1);
    while ((n = next(&stream, &again, &len_again)) > 0)
        total += n;
    HONE_CHECK(total == LINES);
    HONE_CHECK(s->seek(t.self, where, n_where) == HONE_OK); /* goes on as it did the first time */
    HONE_CHECK(next(&stream, &again, &len_again) > 0 && again == first && len_again == len);
    HONE_CHECK(s->seek(t.self, "?", 1) < 0 && t.error[0]);
    stream.release(&stream);
    hone_test_end(&t);
    remove("test-lines.txt");
    if (hone_test_prepare(&t, "@name@")) {
        hone_test_set_(&t, nothing[0]);
        HONE_CHECK(hone_test_create(&t) == HONE_E_NOT_FOUND);
    }
    return hone_test_result();
}
