# plugins/source: each folder here with .c files is one plugin, found by itself (GNU make).
# Extra libraries and flags: <folder>_LIBS = -lpcre2-8, <folder>_CFLAGS = ...
sources_CFLAGS = $(if $(filter 0,$(shell pkg-config --exists zlib; echo $$?)),-DHAVE_ZLIB) \
	$(if $(filter 0,$(shell pkg-config --exists libzstd; echo $$?)),-DHAVE_ZSTD)
sources_LIBS = $(if $(filter 0,$(shell pkg-config --exists zlib; echo $$?)),-lz) \
	$(if $(filter 0,$(shell pkg-config --exists libzstd; echo $$?)),-lzstd)
