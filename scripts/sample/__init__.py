"""The bundled sample chapter, «Mướp bắt trăng», drawn from nothing but code: same code, same pixels."""
