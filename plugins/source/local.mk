# plugins/source: each folder here with .c files is one plugin, found by itself (GNU make).
# Extra libraries and flags: <folder>_LIBS = -lpcre2-8, <folder>_CFLAGS = ...
sources_CFLAGS = $(if $(filter 0,$(shell pkg-config --exists zlib; echo $$?)),-DHAVE_ZLIB) \
	$(if $(filter 0,$(shell pkg-config --exists libzstd; echo $$?)),-DHAVE_ZSTD)
sources_LIBS = $(if $(filter 0,$(shell pkg-config --exists zlib; echo $$?)),-lz) \
	$(if $(filter 0,$(shell pkg-config --exists libzstd; echo $$?)),-lzstd)

# Sources that make their rows themselves are built from the files of sources/ that gather them.
feed_FILES = $(addprefix $(srcdir)/plugins/source/sources/,batch.c feed.c grow.c)
feed_CFLAGS = -I$(srcdir)/plugins/source/sources
sqlite_SOURCES = $(feed_FILES)
sqlite_CFLAGS = $(feed_CFLAGS)
sqlite_LIBS = -lsqlite3
PLUGINS_LEFT_OUT += $(if $(filter 0,$(shell pkg-config --exists sqlite3; echo $$?)),,sqlite)
http_SOURCES = $(feed_FILES)
http_CFLAGS = $(feed_CFLAGS)
http_LIBS = -lcurl
PLUGINS_LEFT_OUT += $(if $(filter 0,$(shell pkg-config --exists libcurl; echo $$?)),,http)
adbc_SOURCES = $(feed_FILES) $(srcdir)/plugins/source/sources/check.c
adbc_CFLAGS = $(feed_CFLAGS)
