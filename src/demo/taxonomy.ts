/**
 * What the demo store sells: plain data that `store.ts` turns into items. All names are invented.
 * A leaf is "fashion/dresses"; `with` names leaves that are bought together with it (the co-visitation to be learnt).
 */
export interface Leaf {
  readonly name: string;
  /** Things of this kind, singular as in a product title. */
  readonly nouns: readonly string[];
  /** Median price, EUR. */
  readonly median: number;
  /** Spread of the log price. */
  readonly sigma: number;
  /** Leaves that go with it, as "root/leaf". */
  readonly with: readonly string[];
  /** Days after which it is used up and bought again. */
  readonly usedUpDays?: number;
}

export interface Root {
  readonly name: string;
  readonly words: readonly string[];
  readonly colors: readonly string[];
  readonly brands: readonly string[];
  readonly leaves: readonly Leaf[];
}

const leaf = (name: string, nouns: string, median: number, sigma: number, goesWith: string, usedUpDays?: number): Leaf => ({
  name, nouns: nouns.split(', '), median, sigma, with: goesWith === '' ? [] : goesWith.split(', '),
  ...(usedUpDays === undefined ? {} : { usedUpDays }),
});
const list = (text: string): string[] => text.split(', ');

const CLOTH = list('ecru, navy, olive, rust, charcoal, sky, blush, black');
const HOME = list('oak, sand, sage, terracotta, slate, white, walnut');
const TECH = list('graphite, silver, white, midnight, coral');

export const ROOTS: readonly Root[] = [
  {
    name: 'fashion', words: list('Relaxed, Washed, Pleated, Everyday, Tailored, Brushed, Organic'), colors: CLOTH,
    brands: list('Maren & Lowe, Halden, Petit Orme, Tolva, Sunday Guild'),
    leaves: [
      leaf('dresses', 'Linen Dress, Wrap Dress, Shirt Dress, Midi Dress', 69, 0.45, 'shoes/sandals, accessories/jewellery'),
      leaf('knitwear', 'Merino Jumper, Cardigan, Ribbed Polo, Roll-neck', 75, 0.4, 'fashion/outerwear, accessories/scarves'),
      leaf('shirts', 'Oxford Shirt, Poplin Shirt, Camp-collar Shirt, Blouse', 49, 0.35, 'fashion/trousers'),
      leaf('trousers', 'Chinos, Wide-leg Trousers, Selvedge Jeans, Corduroys', 65, 0.35, 'fashion/shirts, accessories/belts'),
      leaf('outerwear', 'Rain Jacket, Wool Coat, Quilted Vest, Parka', 149, 0.45, 'fashion/knitwear, accessories/scarves'),
    ],
  },
  {
    name: 'shoes', words: list('Soft, Grained, Light, Cushioned, Handmade, Waxed'), colors: CLOTH,
    brands: list('Fjordline, Kestrel Foot, Oma Bota, Stride & Son, Velo Calzado'),
    leaves: [
      leaf('running', 'Running Shoes, Trail Runners, Tempo Shoes', 109, 0.35, 'sport/running-gear, electronics/wearables'),
      leaf('sneakers', 'Leather Sneakers, Canvas Sneakers, Court Shoes', 89, 0.35, 'fashion/trousers'),
      leaf('boots', 'Chelsea Boots, Hiking Boots, Desert Boots', 139, 0.4, 'outdoor/hiking, fashion/outerwear'),
      leaf('sandals', 'Strap Sandals, Espadrilles, Cork Slides', 55, 0.4, 'fashion/dresses'),
    ],
  },
  {
    name: 'accessories', words: list('Slim, Woven, Brushed, Classic, Foldable, Fine'), colors: CLOTH,
    brands: list('Tangent, Lumen Atelier, Corda, Nine Knots, Isola'),
    leaves: [
      leaf('bags', 'Backpack, Tote, Crossbody Bag, Weekender', 79, 0.5, 'accessories/belts, electronics/laptops'),
      leaf('jewellery', 'Hoop Earrings, Signet Ring, Chain Necklace, Bracelet', 45, 0.6, 'fashion/dresses'),
      leaf('belts', 'Leather Belt, Braided Belt', 35, 0.3, 'fashion/trousers'),
      leaf('scarves', 'Wool Scarf, Silk Scarf, Beanie', 32, 0.4, 'fashion/outerwear'),
      leaf('watches', 'Field Watch, Dress Watch, Dive Watch', 169, 0.6, 'accessories/jewellery'),
    ],
  },
  {
    name: 'beauty', words: list('Gentle, Daily, Overnight, Fragrance-free, Botanical, Mineral'), colors: list('clear, rose, amber, nude, plum'),
    brands: list('Dew Theory, Alga, Huile No. 4, Plain Skin, Marigold Lab'),
    leaves: [
      leaf('skincare', 'Face Serum, Moisturiser, Cleansing Balm, Day Cream', 28, 0.5, 'beauty/suncare, beauty/makeup', 30),
      leaf('makeup', 'Lip Tint, Mascara, Cream Blush, Concealer', 19, 0.4, 'beauty/skincare', 60),
      leaf('haircare', 'Shampoo, Hair Oil, Conditioner, Scalp Scrub', 16, 0.4, 'beauty/skincare', 24),
      leaf('suncare', 'Sun Cream SPF 50, After-sun Gel, Sun Stick', 17, 0.3, 'beauty/skincare, shoes/sandals', 28),
      leaf('fragrance', 'Eau de Parfum, Cologne, Body Mist', 64, 0.5, 'accessories/jewellery'),
    ],
  },
  {
    name: 'electronics', words: list('Wireless, Compact, Studio, Slim, Pro, Quiet'), colors: TECH,
    brands: list('Auralis, Voltan, Kiso, Northbit, Plume Audio'),
    leaves: [
      leaf('audio', 'Headphones, Earbuds, Bluetooth Speaker, Soundbar', 119, 0.6, 'electronics/phones'),
      leaf('phones', 'Smartphone, Phone Case, Charging Stand, Power Bank', 49, 0.9, 'electronics/audio'),
      leaf('laptops', 'Laptop, 27" Monitor, Mechanical Keyboard, USB-C Dock', 189, 0.8, 'accessories/bags, stationery/desk'),
      leaf('wearables', 'Smartwatch, Fitness Band, Sleep Ring', 149, 0.4, 'shoes/running, sport/running-gear'),
      leaf('photo', 'Instant Camera, Mirrorless Camera, Tripod, Lens', 259, 0.8, 'accessories/bags, outdoor/hiking'),
    ],
  },
  {
    name: 'home', words: list('Stoneware, Washed, Turned, Hand-finished, Low, Scandinavian'), colors: HOME,
    brands: list('Norrvik, Casa Brava, Lathe & Loom, Umber, Hjem'),
    leaves: [
      leaf('lighting', 'Table Lamp, Pendant Light, Floor Lamp, Candle', 79, 0.5, 'home/decor'),
      leaf('bedding', 'Duvet Cover, Pillowcases, Wool Blanket, Sheet Set', 69, 0.4, 'home/decor'),
      leaf('furniture', 'Side Table, Lounge Chair, Bookshelf, Bench', 219, 0.6, 'home/lighting, home/decor'),
      leaf('decor', 'Vase, Wall Mirror, Rug, Poster, Cushion', 39, 0.6, 'home/lighting, garden/plants'),
      leaf('storage', 'Storage Basket, Coat Rack, Laundry Hamper', 35, 0.4, 'home/furniture'),
    ],
  },
  {
    name: 'kitchen', words: list('Cast-iron, Copper, Everyday, Ceramic, Non-stick, Barista'), colors: HOME,
    brands: list('Kettle & Co, Ferro, Miso Works, Brasa, Table Nine'),
    leaves: [
      leaf('cookware', 'Frying Pan, Casserole, Wok, Baking Tray', 59, 0.5, 'kitchen/knives, grocery/pantry'),
      leaf('knives', "Chef's Knife, Bread Knife, Cutting Board, Sharpener", 49, 0.6, 'kitchen/cookware'),
      leaf('coffee', 'Pour-over Set, Espresso Machine, Coffee Grinder, Moka Pot', 79, 0.7, 'grocery/coffee-beans'),
      leaf('tableware', 'Dinner Plates, Wine Glasses, Cutlery Set, Mug', 39, 0.5, 'home/decor'),
    ],
  },
  {
    name: 'grocery', words: list('Organic, Slow-roasted, Single-origin, Stone-milled, Small-batch'), colors: list('small, medium, large'),
    brands: list('Kaffa Roasters, Oliveta, Mill & Moss, Tè Verde, Good Larder'),
    leaves: [
      leaf('coffee-beans', 'Espresso Beans, Filter Beans, Decaf Beans', 13, 0.3, 'kitchen/coffee, grocery/snacks', 16),
      leaf('tea', 'Green Tea, Breakfast Tea, Herbal Infusion', 9, 0.35, 'grocery/snacks, kitchen/tableware', 25),
      leaf('pantry', 'Olive Oil, Pasta, Tomato Passata, Sea Salt', 8, 0.45, 'kitchen/cookware', 20),
      leaf('snacks', 'Dark Chocolate, Granola, Roasted Almonds, Oat Biscuits', 6, 0.35, 'grocery/tea', 12),
    ],
  },
  {
    name: 'sport', words: list('Breathable, Pro, Training, Grippy, Quick-dry, Adjustable'), colors: TECH,
    brands: list('Tempo Lab, Ridge Athletic, Asana Days, Gravel Club, Swell'),
    leaves: [
      leaf('running-gear', 'Running Shorts, Hydration Vest, Running Cap, Headlamp', 39, 0.4, 'shoes/running, electronics/wearables'),
      leaf('yoga', 'Yoga Mat, Cork Block, Leggings, Bolster', 45, 0.4, 'sport/fitness'),
      leaf('fitness', 'Kettlebell, Resistance Bands, Dumbbells, Foam Roller', 39, 0.6, 'sport/yoga, grocery/snacks'),
      leaf('cycling', 'Bike Helmet, Bib Shorts, Bike Light, Floor Pump', 69, 0.5, 'electronics/wearables'),
      leaf('swim', 'Swim Goggles, Swimsuit, Dry Bag', 35, 0.4, 'beauty/suncare'),
    ],
  },
  {
    name: 'outdoor', words: list('Ultralight, Waterproof, Packable, All-season, Rugged'), colors: list('moss, stone, ember, lake, black'),
    brands: list('Cairn, Tarn & Fell, Basecamp Nine, Lodestar, Wild Acre'),
    leaves: [
      leaf('hiking', 'Trekking Poles, Daypack, Trail Map Case, Gaiters', 59, 0.5, 'shoes/boots, outdoor/camping'),
      leaf('camping', 'Two-person Tent, Sleeping Bag, Camp Stove, Lantern', 119, 0.6, 'outdoor/hiking'),
      leaf('climbing', 'Climbing Harness, Chalk Bag, Quickdraw Set', 59, 0.5, 'sport/fitness'),
      leaf('bottles', 'Insulated Bottle, Thermos, Filter Bottle', 29, 0.35, 'outdoor/hiking, sport/running-gear'),
    ],
  },
  {
    name: 'garden', words: list('Hardy, Forged, Balcony, Self-watering, Heirloom'), colors: HOME,
    brands: list('Root & Rain, Verdure, Spade House, Polder, Little Orchard'),
    leaves: [
      leaf('plants', 'Monstera, Olive Tree, Fern, Succulent Trio', 29, 0.5, 'garden/pots, home/decor'),
      leaf('pots', 'Terracotta Pot, Hanging Planter, Window Box', 25, 0.5, 'garden/plants, garden/soil'),
      leaf('tools', 'Hand Trowel, Secateurs, Watering Can, Gloves', 27, 0.4, 'garden/plants'),
      leaf('soil', 'Potting Soil, Plant Food, Seed Collection', 11, 0.35, 'garden/pots', 35),
    ],
  },
  {
    name: 'kids', words: list('Wooden, Soft, Little, Rainbow, First, Curious'), colors: list('sunshine, mint, berry, sky, natural'),
    brands: list('Pip & Otter, Hobbel, Tiny Comet, Kinderhof, Moonbeam'),
    leaves: [
      leaf('toys', 'Building Blocks, Train Set, Puzzle, Plush Bear', 29, 0.5, 'kids/books'),
      leaf('books', 'Picture Book, Bedtime Stories, Activity Book', 13, 0.3, 'kids/toys'),
      leaf('clothing', 'Romper, Rain Boots, Pyjamas, Sun Hat', 25, 0.35, 'kids/toys'),
      leaf('care', 'Nappies, Baby Lotion, Wet Wipes', 15, 0.35, 'kids/clothing', 14),
      leaf('nursery', 'Cot Mobile, Night Light, Changing Mat', 49, 0.5, 'kids/care, home/bedding'),
    ],
  },
  {
    name: 'stationery', words: list('Dotted, Clothbound, Brass, Recycled, Refillable'), colors: list('ink, cream, forest, clay'),
    brands: list('Folio Works, Paperkite, Inkling, Margin, Desk & Dawn'),
    leaves: [
      leaf('notebooks', 'Notebook, Planner, Sketchbook', 17, 0.35, 'stationery/pens', 40),
      leaf('pens', 'Fountain Pen, Gel Pens, Brush Pens', 19, 0.7, 'stationery/notebooks'),
      leaf('desk', 'Desk Organiser, Laptop Stand, Pen Tray, Desk Mat', 35, 0.5, 'electronics/laptops, stationery/pens'),
      leaf('gifts', 'Greeting Cards, Wrapping Paper, Candle Set', 14, 0.4, 'home/decor'),
    ],
  },
];

/** Model names that make two similar products tell apart. */
export const SERIES = list('Alder, Ember, Lumen, Cove, Juno, Atlas, Wren, Solis, Birch, Nova, Tide, Piper, Haze, Moro, Vesper, Kite, Onda, Linnea, Drift, Sable');
/** Looks a shopper may love or leave; shown as the first tag of an item. */
export const STYLES = list('minimal, classic, playful, sporty, vintage, natural');
export const EXTRA_TAGS = list('gift, handmade, recycled, vegan, limited, travel, small-space, bestseller');
/** Markets the demo's shoppers come from. */
export const REGIONS = list('DE, FR, NL, ES, IT, PL');
