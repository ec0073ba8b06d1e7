/* fuzz_follow.c - a table of metrics that is written while it is read: what the looks gathered is what one look at the end sees.
 *
 * The input is a play: a byte says what is done (a look; the file cut at a place; text appended) and what it takes. Text is any
 * bytes, or a line of metrics; a file that was cut before the line that was read last is looked at once before it grows. Whatever comes, steps go up, and a reader that followed has the same table, bit by bit, as one that
 * comes last. */
#include "web/follow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MUST(x)                                                                                    \
    do {                                                                                           \
        if (!(x))                                                                                  \
            abort();                                                                               \
    } while (0)

static void same_table(const hone__web_table *a, const hone__web_table *b)
{
    MUST(a->n_rows == b->n_rows);
    for (size_t i = 0; i < a->n_rows; i++)
        MUST(a->step[i] == b->step[i] && (i == 0 || a->step[i] > a->step[i - 1]));
    MUST(a->n_cols == b->n_cols && a->cols_left == b->cols_left);
    for (size_t c = 0; c < a->n_cols; c++) {
        MUST(strcmp(a->cols[c].name, b->cols[c].name) == 0);
        MUST(a->n_rows == 0 ||
             memcmp(a->cols[c].v, b->cols[c].v, a->n_rows * sizeof *a->cols[c].v) == 0);
    }
}

static void look(hone__follow *f)
{
    size_t fresh = 0;
    MUST(hone__follow_look(f, &fresh) >= 0);
    MUST(fresh <= f->table.n_rows && f->last_from <= f->at);
}

static void add(int fd, const void *p, size_t n)
{
    MUST(lseek(fd, 0, SEEK_END) >= 0 && write(fd, p, n) == (ssize_t)n);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static const char *const names[] = {"loss", "reward/mean", "lr", "a\\u0000b"};
    static int fd = -1;
    char path[40], line[120];
    hone__follow f, last;
    if (fd < 0)
        fd = memfd_create("metrics", 0);
    MUST(fd >= 0 && ftruncate(fd, 0) == 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    MUST(hone__follow_open(&f, path) >= 0);
    for (size_t at = 0, looks = 0; at + 1 < size && looks < 12;) {
        const unsigned what = data[at] % 4, by = data[at + 1];
        const off_t end = lseek(fd, 0, SEEK_END);
        at += 2;
        if (what == 0) {
            look(&f);
            looks++;
        } else if (what == 1) {
            MUST(ftruncate(fd, end * by / 255) == 0);
            if ((uint64_t)(end * by / 255) <= f.last_from)
                look(&f); /* the same line may come to stand there again, behind other ones */
        } else if (what == 2) {
            const size_t n = by < size - at ? by : size - at;
            add(fd, data + at, n);
            at += n;
        } else {
            const int n = snprintf(line, sizeof line, "{\"step\":%u,\"%s\":%u}\n", by % 16,
                                   names[by / 16 % 4], by);
            add(fd, line, (size_t)n);
        }
    }
    look(&f);
    MUST(hone__follow_open(&last, path) >= 0);
    look(&last);
    MUST(f.at == last.at && f.passed_over == last.passed_over);
    same_table(&f.table, &last.table);
    hone__follow_release(&last);
    hone__follow_release(&f);
    return 0;
}
