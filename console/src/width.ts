// Whether the window is as narrow as a phone, where an order has two lines in its list: as in style.css.
import { signal } from '@preact/signals';

const phone = matchMedia('(max-width: 640px)');

export const isPhone = signal(phone.matches);

phone.addEventListener('change', () => { isPhone.value = phone.matches; });
