/* fuzz_csv_table.c - any bytes as the table that the csv sink finds in the run directory when a run is resumed.
 *
 * It is refused and not touched, or taken up: then what stays is a beginning of it made of whole lines, none of a later step, and
 * after a step with a metric that is new every line has as many cells as the first. */
#include "../../plugins/sink/files/files.c"
#include "../../plugins/sink/files/csv.c"

#include "hone/testing.h"

#include <fcntl.h>
#include <sys/stat.h>

const hone_component files_tensorboard = {.id = "org.hone.sink.other"};

#define MUST(x)                                                                                    \
    do {                                                                                           \
        if (!(x))                                                                                  \
            abort();                                                                               \
    } while (0)

static char dir[80];
static void clean_up(void)
{
    char path[120];
    snprintf(path, sizeof path, "%s/metrics.csv", dir);
    unlink(path);
    rmdir(dir);
}

static size_t look(const char *path, char *to, size_t size)
{
    const int fd = open(path, O_RDONLY);
    MUST(fd >= 0);
    const ssize_t n = read(fd, to, size);
    MUST(n >= 0 && close(fd) == 0);
    return (size_t)n;
}

/* Cells of a line of a table that this sink wrote. */
static size_t cells(const char *p, size_t n)
{
    size_t k = 1;
    int quoted = 0;
    for (size_t i = 0; i < n; i++) {
        quoted ^= p[i] == '"';
        k += p[i] == ',' && !quoted;
    }
    return k;
}

static hone_pair number(const char *name, int64_t v)
{
    return (hone_pair){.key = hone_str_c(name), .value = {.type = HONE_I64, .u.i64 = v}};
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static char before[8200], after[1 << 17];
    char path[120];
    hone_test t;
    if (!dir[0]) {
        snprintf(dir, sizeof dir, "/dev/shm/hone-fuzz-csv-%d", (int)getpid());
        MUST(mkdir(dir, 0700) == 0);
        atexit(clean_up);
    }
    if (size < 1 || size > sizeof before)
        return 0;
    const int64_t from = data[0];
    const size_t n = size - 1;
    memcpy(before, data + 1, n);
    snprintf(path, sizeof path, "%s/metrics.csv", dir);
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    MUST(fd >= 0 && write(fd, before, n) == (ssize_t)n && close(fd) == 0);
    MUST(hone_test_begin(&t, "csv", NULL));
    const hone_sink_v1 *sink = hone_test_iface(&t, HONE_IFACE_SINK);
    hone_pair run[2] = {
        number("from_step", from),
        {.key = hone_str_c("dir"), .value = {.type = HONE_STRING, .u.str = hone_str_c(dir)}}};
    const hone_value begins = {.type = HONE_MAP, .u.map = {run, 2}};
    const hone_status s = sink->event(t.self, hone_str_c("run"), &begins);
    size_t m = look(path, after, sizeof after);
    if (s < 0) {
        MUST(m == n && memcmp(before, after, n) == 0);
        goto done;
    }
    if (n) {
        MUST(m <= n && memcmp(before, after, m) == 0 && after[m - 1] == '\n');
        for (size_t i = 0, begin = 0; i < m; i++) {
            if (after[i] != '\n')
                continue;
            const long long at = begin ? strtoll(after + begin, NULL, 10) : 0;
            MUST(at >= 0 && at <= from);
            begin = i + 1;
        }
    } else {
        MUST(m == 5 && memcmp(after, "step\n", 5) == 0);
    }
    hone_pair step[2] = {number("step", from + 1), number("never, \"seen\" before", 7)};
    const hone_value one = {.type = HONE_MAP, .u.map = {step, 2}};
    if (sink->event(t.self, hone_str_c("step"), &one) >= 0) {
        m = look(path, after, sizeof after);
        const char *nl = memchr(after, '\n', m);
        MUST(nl && m < sizeof after && after[m - 1] == '\n');
        const size_t columns = cells(after, (size_t)(nl - after));
        csv again = {0};
        MUST(read_head(&again, after, (size_t)(nl - after)) && again.n + 1 == columns);
        forget_columns(&again);
        free(again.cols);
        for (const char *p = nl + 1; p < after + m;) {
            nl = memchr(p, '\n', (size_t)(after + m - p));
            MUST(nl && cells(p, (size_t)(nl - p)) == columns);
            p = nl + 1;
        }
    }
done:
    hone_test_end(&t);
    MUST(!hone_test_failures);
    return 0;
}
