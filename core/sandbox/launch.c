/* launch.c - see launch.h.
 *
 * The box is the sandbox's (sandbox.h): it starts the program with its three pipes and no other descriptor, finds and
 * ends all that the program started, and ends it with the host.
 *
 * An interpreter reads files beside itself: for a program in PREFIX/bin the whole PREFIX may be read, when PREFIX
 * holds a Python installation or environment (pyvenv.cfg, lib/python3*) and is neither the user's home nor above it. */
#include "sandbox/launch.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_ARGS = 256, MAX_ENV = 16, MAX_PATHS = 64 };

typedef struct plan {
    char *argv[MAX_ARGS + 1];
    size_t n_args;
    char *env[MAX_ENV + 1];
    size_t n_env;
    char *read[MAX_PATHS + 1];
    size_t n_read;
    char *folder;
} plan;

static void plan_release(plan *p)
{
    for (size_t i = 0; i < p->n_args; i++)
        hone_free(p->argv[i]);
    for (size_t i = 0; i < p->n_env; i++)
        hone_free(p->env[i]);
    for (size_t i = 0; i < p->n_read; i++)
        hone_free(p->read[i]);
    hone_free(p->folder);
}

static hone_status add_read(plan *p, const char *path)
{
    if (p->n_read == MAX_PATHS)
        return hone_fail(HONE_E_LIMIT, "more than %d paths for one program", MAX_PATHS);
    p->read[p->n_read] = hone_strdup(path);
    return p->read[p->n_read] ? (p->n_read++, HONE_OK) : HONE_E_NOMEM;
}

static hone_status add_env(plan *p, const char *name, const char *value)
{
    size_t n = strlen(name) + strlen(value) + 2;
    char *text = p->n_env < MAX_ENV ? hone_alloc(n) : NULL;
    if (!text)
        return HONE_E_NOMEM;
    snprintf(text, n, "%s=%s", name, value);
    p->env[p->n_env++] = text;
    return HONE_OK;
}

/* ---- what to run ------------------------------------------------------------------------------------- */

static int runs(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static char *on_path(const char *name)
{
    const char *at = getenv("PATH");
    at = at && *at ? at : "/usr/local/bin:/usr/bin:/bin";
    for (;;) {
        const char *end = strchrnul(at, ':');
        char *dir = hone_strndup(at, (size_t)(end - at)), *path = NULL;
        if (dir && dir[0] == '/') /* a relative one depends on the working folder */
            path = hone_path_join(dir, name);
        hone_free(dir);
        if (path && runs(path))
            return path;
        hone_free(path);
        if (!*end)
            return NULL;
        at = end + 1;
    }
}

static int is_script(const char *path)
{
    char two[2];
    int fd = open(path, O_RDONLY | O_CLOEXEC), yes = 0;
    if (fd >= 0) {
        yes = read(fd, two, 2) == 2 && two[0] == '#' && two[1] == '!';
        close(fd);
    }
    return yes;
}

/* All that fd gives within a time, as a text. */
static size_t read_for(int fd, int timeout_ms, char *out, size_t room)
{
    size_t n = 0;
    for (;;) {
        struct pollfd p = {fd, POLLIN, 0};
        ssize_t got = 0;
        if (n + 1 < room && poll(&p, 1, timeout_ms) > 0)
            got = read(fd, out + n, room - 1 - n);
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    out[n] = '\0';
    return n;
}

/* The script that was asked last, and its answer. */
static pthread_mutex_t known_lock = PTHREAD_MUTEX_INITIALIZER;
static char known_script[PATH_MAX], known_answer[PATH_MAX];

/* Version managers put a script in front of Python that looks for the right one: it is asked which that is, in a box
 * that reads everything and does nothing else. *path is replaced when it knows. */
static void ask_script(char **path)
{
    pthread_mutex_lock(&known_lock);
    char *known = strcmp(known_script, *path) == 0 ? hone_strdup(known_answer) : NULL;
    pthread_mutex_unlock(&known_lock);
    if (known) {
        hone_free(*path);
        *path = known;
        return;
    }
    const char *argv[] = {*path, "-I", "-c", "import sys; print(sys.executable)", NULL};
    const char *everything[] = {"/", NULL};
    const hone_sandbox_policy policy = {
        .grants = HONE_GRANT_EXEC, .read_paths = everything, .allow_weak = 1};
    char said[PATH_MAX], cwd[PATH_MAX], real[PATH_MAX];
    int fds[2];
    hone_child child;
    hone_error before = *hone_error_get();
    if (!getcwd(cwd, sizeof cwd) || pipe2(fds, O_CLOEXEC) != 0)
        return;
    const hone_spawn how = {.argv = argv,
                            .env = (const char *const *)environ,
                            .cwd = cwd,
                            .in = -1,
                            .out = fds[1],
                            .err = -1,
                            .policy = &policy};
    hone_status s = hone_sandbox_spawn(&how, &child);
    close(fds[1]);
    if (s >= 0) {
        said[0] = '\0';
        read_for(fds[0], 10000, said, sizeof said);
        hone_child_end(&child, NULL);
        said[strcspn(said, "\n")] = '\0';
        char *other = said[0] == '/' && runs(said) && realpath(said, real) ? hone_strdup(said)
                                                                           : NULL;
        if (other) {
            pthread_mutex_lock(&known_lock);
            snprintf(known_script, sizeof known_script, "%s", *path);
            snprintf(known_answer, sizeof known_answer, "%s", other);
            pthread_mutex_unlock(&known_lock);
            hone_free(*path);
            *path = other;
        }
    }
    close(fds[0]);
    hone_error_set(&before);
}

static hone_status find_program(const char *name, char **out)
{
    char real[PATH_MAX];
    *out = NULL;
    if (!strchr(name, '/')) {
        *out = on_path(name);
        if (*out && strncmp(name, "python", 6) == 0 && is_script(*out))
            ask_script(out);
        if (*out)
            return HONE_OK;
        hone_fail(HONE_E_NOT_FOUND, "there is no program \"%s\" on PATH", name);
        return hone_fail_hint("install it, or give the path of another one");
    }
    char *dir = hone_path_dir(name);
    if (!dir)
        return HONE_E_NOMEM;
    char *found = realpath(dir, real); /* of the folder alone: python in an environment is a link */
    hone_free(dir);
    if (!found)
        return hone_fail_errno("%s", name);
    *out = hone_path_join(real, hone_path_base(name));
    if (!*out)
        return HONE_E_NOMEM;
    if (runs(*out))
        return HONE_OK;
    hone_fail(HONE_E_INVALID, "%s: is no program that may be run", name);
    hone_fail_hint("chmod +x %s, or name its interpreter", name);
    hone_free(*out);
    *out = NULL;
    return HONE_E_INVALID;
}

static hone_status read_argv(plan *p, const hone_process_spec *spec)
{
    if (spec->n_argv == 0 || spec->n_argv > MAX_ARGS)
        return hone_fail(HONE_E_INVALID, "a program has 1 to %d arguments, not %zu", MAX_ARGS,
                         spec->n_argv);
    for (size_t i = 0; i < spec->n_argv; i++) {
        hone_str a = spec->argv[i];
        if (a.len && memchr(a.ptr, 0, a.len))
            return hone_fail(HONE_E_INVALID, "an argument of a program holds a NUL");
        char *text = hone_strndup(a.len ? a.ptr : "", a.len), *other = NULL;
        if (!text)
            return HONE_E_NOMEM;
        hone_status s = HONE_OK;
        if (strncmp(text, "sdk:", 4) == 0) {
            other = hone_path_join(hone_paths_sdk(), text + 4);
            char *beside = other ? hone_path_dir(other) : NULL; /* modules that it imports */
            s = !beside                    ? HONE_E_NOMEM
                : access(other, R_OK) != 0 ? hone_fail_errno("%s", other)
                                           : add_read(p, beside);
            hone_free(beside);
        } else if (i == 0) {
            s = find_program(text, &other);
        }
        if (other) {
            hone_free(text);
            text = other;
        }
        p->argv[p->n_args++] = text;
        HONE_TRY(s);
    }
    return HONE_OK;
}

/* ---- what it may see --------------------------------------------------------------------------------- */

static int holds_python(const char *prefix)
{
    char **names = NULL;
    size_t n = 0;
    int found = 0;
    char *cfg = hone_path_join(prefix, "pyvenv.cfg"), *lib = hone_path_join(prefix, "lib");
    if (cfg && hone_file_exists(cfg))
        found = 1;
    else if (lib && hone_file_is_dir(lib) && hone_list_dir(lib, &names, &n) >= 0)
        for (size_t i = 0; i < n; i++)
            found |= strncmp(names[i], "python3", 7) == 0;
    hone_names_free(names, n);
    hone_free(cfg);
    hone_free(lib);
    return found;
}

static int is_or_holds(const char *folder, const char *path)
{
    size_t n = strlen(folder);
    return n == 1 || (strncmp(folder, path, n) == 0 && (path[n] == '\0' || path[n] == '/'));
}

/* The folder of the program, or the installation around it. */
static hone_status add_surroundings(plan *p, const char *program)
{
    char home[PATH_MAX];
    const char *h = getenv("HOME");
    HONE_TRY(add_read(p, program));
    char *bin = hone_path_dir(program), *prefix = bin ? hone_path_dir(bin) : NULL;
    hone_status s = prefix ? HONE_OK : HONE_E_NOMEM;
    int private_ = h && *h && realpath(h, home) && prefix && is_or_holds(prefix, home);
    if (s >= 0 && !private_ && strcmp(prefix, "/") != 0 && holds_python(prefix))
        s = add_read(p, prefix);
    hone_free(bin);
    hone_free(prefix);
    return s;
}

static hone_status plan_paths(plan *p, const hone__launch *how)
{
    char real[PATH_MAX];
    HONE_TRY(add_surroundings(p, p->argv[0]));
    if (realpath(p->argv[0], real) && strcmp(real, p->argv[0]) != 0)
        HONE_TRY(add_surroundings(p, real));
    for (size_t i = 0; i < how->spec->n_read; i++) {
        char *path = hone_strndup(how->spec->read[i].ptr, how->spec->read[i].len);
        hone_status s = path ? HONE_OK : HONE_E_NOMEM;
        if (s >= 0)
            s = realpath(path, real) ? add_read(p, real) : hone_fail_errno("%s", path);
        hone_free(path);
        HONE_TRY(s);
    }
    for (size_t i = 0; how->read_more && how->read_more[i]; i++)
        HONE_TRY(add_read(p, how->read_more[i]));
    return HONE_OK;
}

static hone_status plan_env(plan *p)
{
    HONE_TRY(add_env(p, "PATH", "/usr/local/bin:/usr/bin:/bin"));
    HONE_TRY(add_env(p, "HOME", p->folder));
    HONE_TRY(add_env(p, "TMPDIR", p->folder));
    HONE_TRY(add_env(p, "LANG", "C.UTF-8"));
    HONE_TRY(add_env(p, "PYTHONDONTWRITEBYTECODE", "1"));
    return add_env(p, "PYTHONHASHSEED", "0"); /* the same order of sets in every life */
}

static hone_status make_folder(char **out)
{
    const char *tmp = getenv("TMPDIR");
    char *path = hone_path_join(tmp && tmp[0] == '/' ? tmp : "/tmp", "hone-XXXXXX");
    if (!path)
        return HONE_E_NOMEM;
    if (!mkdtemp(path)) {
        hone_status s = hone_fail_errno("%s", path);
        hone_free(path);
        return s;
    }
    *out = path;
    return HONE_OK;
}

/* ---- life -------------------------------------------------------------------------------------------- */

static hone_status spawn(plan *p, const hone__launch *how, const int fds[3], hone_child *out)
{
    const hone_process_spec *spec = how->spec;
    const hone_sandbox_policy policy = {
        .grants = HONE_GRANT_EXEC | (how->net ? HONE_GRANT_NET : 0),
        .read_paths = (const char *const *)p->read,
        .write_paths = how->write_more,
        .tmp = p->folder,
        .tmp_bytes = spec->tmp_bytes,
        .memory = spec->memory_bytes,
        .file_size = spec->file_bytes,
        .processes = spec->processes,
        .allow_weak = how->weak != 0,
    };
    const hone_spawn s = {.argv = (const char *const *)p->argv,
                          .env = (const char *const *)p->env,
                          .cwd = p->folder,
                          .in = fds[0],
                          .out = fds[1],
                          .err = fds[2],
                          .policy = &policy};
    return hone_sandbox_spawn(&s, out);
}

static void close_all(int fds[6])
{
    for (int i = 0; i < 6; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

hone_status hone__launch_start(const hone__launch *how, hone__launched *out)
{
    plan p = {0};
    int fds[6] = {-1, -1, -1, -1, -1, -1}, theirs[3];
    hone_child child;
    hone_status s;
    HONE_TRY_GOTO(read_argv(&p, how->spec), done);
    HONE_TRY_GOTO(plan_paths(&p, how), done);
    HONE_TRY_GOTO(make_folder(&p.folder), done);
    HONE_TRY_GOTO(plan_env(&p), done);
    for (int i = 0; i < 3; i++)
        if (pipe2(fds + 2 * i, O_CLOEXEC) != 0) {
            s = hone_fail_errno("cannot make a pipe");
            goto done;
        }
    theirs[0] = fds[0];
    theirs[1] = fds[3];
    theirs[2] = fds[5];
    HONE_TRY_GOTO(spawn(&p, how, theirs, &child), done);
    out->child = child;
    out->in = fds[1];
    out->out = fds[2];
    out->err = fds[4];
    fds[1] = fds[2] = fds[4] = -1;
    fcntl(out->in, F_SETFL, O_NONBLOCK);
    fcntl(out->out, F_SETFL, O_NONBLOCK);
    fcntl(out->err, F_SETFL, O_NONBLOCK);
    fcntl(out->in, F_SETPIPE_SZ, 1 << 20); /* fewer wake-ups; what is refused does not matter */
    fcntl(out->out, F_SETPIPE_SZ, 1 << 20);
    out->folder = p.folder;
    p.folder = NULL;
done:
    if (s < 0 && p.folder) {
        hone_error e = *hone_error_get();
        (void)hone_remove_tree(p.folder);
        hone_error_set(&e);
    }
    close_all(fds);
    plan_release(&p);
    return s;
}

void hone__launch_finish(hone__launched *l)
{
    int *const fds[] = {&l->in, &l->out, &l->err};
    for (int i = 0; i < 3; i++) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
    hone_child_end(&l->child, NULL);
    if (l->folder) {
        hone_error e = *hone_error_get();
        (void)hone_remove_tree(l->folder);
        hone_error_set(&e);
    }
    hone_free(l->folder);
    l->folder = NULL;
}
