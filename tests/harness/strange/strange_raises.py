"""A plugin whose engine is broken."""

raise OSError("libstrange.so.3: cannot open shared object file [x]")
