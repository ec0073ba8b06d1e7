/* fuzz_run_dir.c - any bytes as the files of a run directory, for the report page and all that reads them with it.
 *
 * The input is run.json, metrics.jsonl, timings.jsonl, tables.json and rollouts, parted by NUL; rollouts are a zstd stream, or, when
 * they begin with '{', the lines that are put in one. The report is refused with a text, or is a whole page in which no element <zz>
 * stands, which seeds have in all their texts. One run is shown, then two beside each other. */
#include "base/buf.h"
#include "base/error.h"
#include "base/file.h"
#include "web/report.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#define MUST(x)                                                                                    \
    do {                                                                                           \
        if (!(x))                                                                                  \
            abort();                                                                               \
    } while (0)

static const char *const names[] = {"run.json", "metrics.jsonl", "timings.jsonl", "tables.json",
                                    "rollouts.jsonl.zst"};
enum { FILES = sizeof names / sizeof *names };
static char dir[80], page[120];

static void clean_up(void)
{
    char path[120];
    for (size_t i = 0; i < FILES; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    unlink(page);
    rmdir(dir);
}

static void put(const char *name, const void *p, size_t n)
{
    char path[120];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    MUST(fd >= 0 && write(fd, p, n) == (ssize_t)n && close(fd) == 0);
}

static void put_rollouts(const unsigned char *p, size_t n)
{
    static char packed[1 << 16];
    if (n && p[0] == '{') {
        n = ZSTD_compress(packed, sizeof packed, p, n, 1);
        MUST(!ZSTD_isError(n));
        p = (const unsigned char *)packed;
    }
    put(names[FILES - 1], p, n);
}

/* What a text of the files could do: an element that the page has none of by itself. */
static int holds(const char *text, size_t n, const char *what)
{
    return memmem(text, n, what, strlen(what)) != NULL;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    if (!dir[0]) {
        snprintf(dir, sizeof dir, "/dev/shm/hone-fuzz-run-%d", (int)getpid());
        snprintf(page, sizeof page, "/dev/shm/hone-fuzz-run-%d.html", (int)getpid());
        MUST(mkdir(dir, 0700) == 0);
        atexit(clean_up);
    }
    if (size > 30000)
        return 0;
    for (size_t i = 0, at = 0; i < FILES; i++) {
        const unsigned char *nul = at < size ? memchr(data + at, 0, size - at) : NULL;
        const size_t n = at >= size             ? 0
                         : nul && i + 1 < FILES ? (size_t)(nul - (data + at))
                                                : size - at;
        const unsigned char *p = data + (at < size ? at : 0);
        if (i + 1 < FILES)
            put(names[i], p, n);
        else
            put_rollouts(p, n);
        at += n + 1;
    }
    const char *const runs[] = {dir, dir};
    for (size_t n = 1; n <= 2; n++) {
        hone_buf b;
        if (hone_report_write(runs, n, page) < 0) {
            MUST(hone_error_get()->what[0]);
            break;
        }
        hone_buf_init(&b, (size_t)1 << 28);
        MUST(hone_file_read(page, (size_t)1 << 28, &b) >= 0);
        MUST(!holds(b.ptr, b.len, "<zz") && !holds(b.ptr, b.len, "</zz"));
        MUST(b.len > 9 && memcmp(b.ptr + b.len - 8, "</html>\n", 8) == 0);
        hone_buf_release(&b);
    }
    return 0;
}
