# core/abi
libhone_a_SOURCES +=
