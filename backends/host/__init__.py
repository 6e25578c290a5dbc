"""What every backend on the host CPU shares; not a plugin."""

from pkgutil import extend_path

# A checkout that comes first on sys.path holds no compiled module; the installed copy does.
__path__ = extend_path(__path__, __name__)
