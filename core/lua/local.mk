# core/lua
libhone_a_SOURCES +=
